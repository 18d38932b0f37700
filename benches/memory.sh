#!/usr/bin/env bash
# Peak memory and CPU time of logtopsy on ever larger logs of the same day: memory has to stay within 10 % from 1 to
# 4 GiB, and time has to grow as the bytes do. Says so and ends with 1 where it does not.
#
#   benches/memory.sh [KIND] [MIB…]      combined, 64 256 1024 4096
set -euo pipefail
cd "$(dirname "$0")/.."

kind=${1:-combined}
shift $(($# < 1 ? $# : 1))
sizes=("$@")
((${#sizes[@]})) || sizes=(64 256 1024 4096)
[[ -x /usr/bin/time ]] || { echo 'memory: /usr/bin/time is needed' >&2 && exit 2; }

dir=$(mktemp -d "${TMPDIR:-/var/tmp}/logtopsy-memory.XXXXXX")
trap 'rm -rf "$dir"' EXIT
cargo build --release --quiet --bin logtopsy --example corpus
bin=$(cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')/release

echo "| $kind, MiB | peak, MiB | CPU s | CPU s per GiB |"
echo '|---:|---:|---:|---:|'
for size in "${sizes[@]}"; do
    "$bin/examples/corpus" "$kind" $((size * 1048576 / 1000000)) >"$dir/log"
    cat "$dir/log" >/dev/null
    # a report with an incident ends with 0 as well
    /usr/bin/time -f '%M %U %S' -o "$dir/time" "$bin/logtopsy" --format json "$dir/log" >/dev/null
    awk -v mib="$size" '{ printf "%d %.1f %.2f\n", mib, $1 / 1024, $2 + $3 }' "$dir/time" | tee -a "$dir/rows" |
        awk '{ printf "| %d | %.1f | %.2f | %.2f |\n", $1, $2, $3, $3 * 1024 / $1 }'
done

awk '
    $1 >= 1024 { if (!low || $2 < low) low = $2; if ($2 > high) high = $2 }
    { mib[NR] = $1; cpu[NR] = $3 }
    END {
        if (low && high > 1.1 * low) { printf "peak memory differs by more than 10 %%: %.1f to %.1f MiB\n", low, high; bad = 1 }
        # what a byte more costs may not grow: the search costs the same for each size
        for (n = 3; n <= NR; n++) {
            before = (cpu[n - 1] - cpu[n - 2]) / (mib[n - 1] - mib[n - 2])
            now = (cpu[n] - cpu[n - 1]) / (mib[n] - mib[n - 1])
            if (now > 1.25 * before) { printf "from %d to %d MiB a byte costs %.2f times as much as before\n", mib[n - 1], mib[n], now / before; bad = 1 }
        }
        exit bad
    }' "$dir/rows"
