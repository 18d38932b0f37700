#!/usr/bin/env bash
# Times logtopsy against whatever of the usual tools is on the PATH, on corpora that it generates: CPU seconds and peak
# memory on one pinned core, wall time on all. It installs nothing. The input is read once before, so the disk is no part of it.
#
#   benches/compare.sh [MB] [RUNS] [KIND…]      1000 MB, 5 runs, all kinds
set -euo pipefail
cd "$(dirname "$0")/.."

mb=${1:-1000}
runs=${2:-5}
shift $(($# < 2 ? $# : 2))
kinds=("$@")
((${#kinds[@]})) || kinds=(combined timed json error application gzip zstd)

dir=$(mktemp -d "${TMPDIR:-/var/tmp}/logtopsy-compare.XXXXXX")
trap 'rm -rf "$dir"' EXIT
cargo build --release --quiet --bin logtopsy --example corpus
bin=$(cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')/release
logtopsy=$bin/logtopsy
timed_format='$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_time $upstream_response_time $upstream_addr $host'

have() { command -v "$1" >/dev/null 2>&1; }
pin=()
have taskset && pin=(taskset -c 0)
measure=
if [[ -x /usr/bin/time ]] && /usr/bin/time -f %M true 2>/dev/null; then measure=/usr/bin/time; fi

# Median of the numbers on standard input.
median() { sort -n | awk '{ v[NR] = $1 } END { print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# CPU seconds (user and system) of each run of a command, one a line; standard output of the last one in $dir/out.
cpu_of() {
    local TIMEFORMAT='%U %S' i
    for ((i = 0; i < runs; i++)); do
        { time "${pin[@]}" "$@" >"$dir/out" 2>"$dir/err" || true; } 2>&1 | awk '{ print $1 + $2 }'
    done
}

wall_of() {
    local TIMEFORMAT='%R' i
    for ((i = 0; i < runs; i++)); do
        { time "$@" >"$dir/out" 2>"$dir/err" || true; } 2>&1
    done
}

peak_of() {
    if [[ -z $measure ]]; then echo -; return; fi
    "$measure" -f %M -o "$dir/peak" "$@" >/dev/null 2>&1 || true
    awk '{ printf "%.0f MiB\n", $1 / 1024 }' "$dir/peak"
}

# row NAME COMMAND…: the line of the table, relative to $base once that is set.
base=
row() {
    local name=$1 times cpu spread
    shift
    times=$(cpu_of "$@")
    cpu=$(median <<<"$times")
    spread=$(sort -n <<<"$times" | sed -n '1p;$p' | paste -sd- | sed 's/-/–/')
    [[ -n $base ]] || base=$cpu
    printf '  %-34s %8s s  %-13s %7s ×  %10s\n' "$name" "$cpu" "($spread)" \
        "$(awk -v a="$cpu" -v b="$base" 'BEGIN { printf "%.2f", a / (b > 0 ? b : 0.001) }')" "$(peak_of "$@")"
}

# Exits with an error when two counts differ.
same() {
    if [[ $2 != "$3" ]]; then
        echo "  $1: logtopsy counts $2, the other $3" >&2
        exit 1
    fi
    echo "  $1: $2 in both"
}

total() { sed -n "s/^ *\"$1\": \([0-9]*\),*$/\1/p" "$dir/report" | head -1; }

corpus() { "$bin/examples/corpus" "$1" "$mb" >"$2"; }

for kind in "${kinds[@]}"; do
    base=
    file=$dir/log
    args=(--jobs 1 --format json)
    case $kind in
    gzip | zstd) corpus combined "$file" ;;
    *) corpus "$kind" "$file" ;;
    esac
    [[ $kind == timed || $kind == month ]] && args+=(--log-format "$timed_format")
    echo
    echo "$kind, $(wc -c <"$file") bytes, $(wc -l <"$file") lines (CPU seconds on one core: median of $runs, spread, ratio to logtopsy, peak memory)"
    case $kind in
    gzip)
        gzip -k "$file"
        row logtopsy "$logtopsy" "${args[@]}" "$file.gz"
        have gzip && row 'gzip -dc' gzip -dc "$file.gz"
        have igzip && row 'igzip -dc' igzip -dc "$file.gz"
        rm -f "$file.gz"
        continue
        ;;
    zstd)
        have zstd || { echo '  no zstd here'; continue; }
        zstd -q -k "$file"
        row logtopsy "$logtopsy" "${args[@]}" "$file.zst"
        row 'zstd -dc' zstd -dc "$file.zst"
        rm -f "$file.zst"
        continue
        ;;
    esac
    cat "$file" >/dev/null
    row logtopsy "$logtopsy" "${args[@]}" "$file"
    "$logtopsy" "${args[@]}" "$file" >"$dir/report" 2>/dev/null || true
    have wc && row 'wc -l' wc -l "$file"
    case $kind in
    combined | timed)
        have grep && LC_ALL=C row "grep -c ' 50[0-9] '" grep -c ' 50[0-9] ' "$file"
        have rg && row "rg -c ' 50[0-9] '" rg -c ' 50[0-9] ' "$file"
        have mawk && row 'mawk, 5xx per minute' mawk '$9 >= 500 { n[substr($4, 2, 17)]++ } END { for (m in n) print m, n[m] }' "$file"
        have goaccess && row goaccess goaccess --log-format=COMBINED -o json "$file"
        have duckdb && row duckdb duckdb -c "select count(*) from read_csv('$file', delim=' ', quote='\"', header=false, columns={c:'text',i:'text',u:'text',t:'text',z:'text',r:'text',s:'int',b:'text',f:'text',a:'text'}, ignore_errors=true) where s >= 500"
        have agrind && row angle-grinder agrind -f "$file" '* | parse "\" * " as status | where status >= 500 | count'
        have lnav && row lnav lnav -n -c ";select count(*) from access_log where sc_status >= 500" "$file"
        same 'requests answered 5xx' "$(total failed_requests)" "$(LC_ALL=C awk '$9 >= 500 && $9 < 600' "$file" | wc -l)"
        ;;
    json)
        have rg && row "rg -c '\"status\":\"?50[0-9]'" rg -c '"status":"?50[0-9]' "$file"
        have jq && row 'jq, status' jq -r .status "$file"
        same 'requests answered 5xx' "$(total failed_requests)" "$(LC_ALL=C grep -c '"status":"5' "$file")"
        ;;
    error)
        have rg && row "rg -c '\\[error\\]'" rg -c '\[error\]' "$file"
        have mawk && row 'mawk, errors per minute' mawk '/\[error\]/ { n[$1 " " substr($2, 1, 5)]++ } END { for (m in n) print m, n[m] }' "$file"
        ;;
    application)
        have rg && row "rg -c ' ERROR '" rg -c ' ERROR ' "$file"
        have mawk && row 'mawk, errors per minute' mawk '/ ERROR / { n[$1 " " substr($2, 1, 5)]++ } END { for (m in n) print m, n[m] }' "$file"
        ;;
    esac
    printf '  %-34s %8s s of wall time\n' 'logtopsy, all cores' "$(wall_of "$logtopsy" "${args[@]:2}" "$file" | median)"
done
