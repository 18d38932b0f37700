#!/usr/bin/env bash
# Times logtopsy against whatever of the usual tools is on the PATH, on corpora that it generates, and prints tables in
# Markdown: CPU seconds on one pinned core, wall time with all cores, peak memory, and what part of a tool's CPU time
# logtopsy takes, as a ratio of medians beside the bar for it. Whatever counts something has to count the same as
# logtopsy. It installs nothing. The input is read once before, so the disk is no part of it.
#
#   benches/compare.sh [MB] [RUNS] [KIND…]      1000 MB, 5 runs, all kinds; a command that takes long runs less often
#   benches/compare.sh --docs [MB] [RUNS]       the same, and writes the tables into docs/speed.md
set -euo pipefail
cd "$(dirname "$0")/.."

docs=
if [[ ${1:-} == --docs ]]; then docs=docs/speed.md && shift; fi
mb=${1:-1000}
runs=${2:-5}
shift $(($# < 2 ? $# : 2))
kinds=("$@")
((${#kinds[@]})) || kinds=(combined timed json error application gzip zstd)
patience=60 # seconds that a command may take in all before it is not run again

dir=$(mktemp -d "${TMPDIR:-/var/tmp}/logtopsy-compare.XXXXXX")
trap 'rm -rf "$dir"' EXIT
if [[ -n $docs ]]; then exec 3>&1 >"$dir/tables"; else exec 3>&1; fi

say() { echo "compare: $*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }
die() { say "$*" && exit 1; }

say 'building'
cargo build --release --quiet --bin logtopsy --example corpus
bin=$(cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')/release
cp "$bin/logtopsy" "$dir/logtopsy"
logtopsy=$dir/logtopsy
isal=
if grep -q '^isal = ' Cargo.toml && have nasm && have autoreconf && have libtoolize; then
    say 'building with ISA-L'
    if cargo build --release --quiet --features isal --bin logtopsy 2>"$dir/err"; then
        cp "$bin/logtopsy" "$dir/logtopsy-isal"
        isal=$dir/logtopsy-isal
    else
        say 'ISA-L does not build here'
    fi
fi

one=()
have taskset && one=(taskset -c 0)
all=()
have taskset && all=(taskset -c "0-$(($(nproc) - 1))")
memory=
if [[ -x /usr/bin/time ]] && /usr/bin/time -f %M true 2>/dev/null; then memory=/usr/bin/time; fi

# Median of the numbers on standard input.
median() { sort -n | awk '{ v[NR] = $1 } END { print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

# "cpu wall" in seconds of each run of a command, one a line; what the last one printed is in $dir/out.
times_of() {
    local TIMEFORMAT='%U %S %R' i
    local began=$SECONDS
    for ((i = 0; i < runs; i++)); do
        { time run "$@"; } 2>&1 | awk '{ print $1 + $2, $3 }'
        ((SECONDS - began < patience)) || break
    done
}

# Runs a command; grep and logtopsy end with more than 0 without having failed.
run() {
    local status=0
    "$@" >"$dir/out" 2>"$dir/err" </dev/null || status=$?
    ((status <= 1 || status == 3)) || echo "$status" >"$dir/failed"
}

cpu() { cut -d' ' -f1 | median; }
wall() { cut -d' ' -f2 | median; }
spread() { cut -d' ' -f1 | sort -n | sed -n '1p;$p' | paste -sd- | sed 's/-/–/'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3g", a / (b > 0 ? b : 0.001) }'; }

peak_of() {
    if [[ -z $memory ]]; then echo –; return; fi
    "$memory" -f %M -o "$dir/peak" "$@" >/dev/null 2>&1 </dev/null || true
    tail -1 "$dir/peak" | awk '{ printf "%.0f MiB\n", $1 / 1024 }'
}

head_of_table() {
    echo
    echo "### $1"
    echo
    echo "| command | CPU s, one core | spread | wall s, all cores | peak | logtopsy takes | bar |"
    echo "|---|---:|---|---:|---:|---:|---:|"
}

# row NAME BAR COUNT COMMAND…: a row of the table. COUNT is what the command has to print as its first number, if anything.
# `ours` is logtopsy's own CPU time, `seconds` what the last command took.
ours=
row() {
    local name=$1 bar=$2 count=$3 measured printed
    shift 3
    say "  $name"
    rm -f "$dir/failed"
    measured=$(times_of "${one[@]}" "$@")
    if [[ -e $dir/failed ]]; then
        echo "| $name | failed | | | | | |"
        say "    ended with $(cat "$dir/failed"): $(tail -1 "$dir/err")"
        return
    fi
    if [[ -n $count ]]; then
        printed=$(grep -oE '[0-9]+' "$dir/out" | head -1 || true)
        [[ $printed == "$count" ]] || die "$name counts ${printed:-nothing}, not $count"
    fi
    seconds=$(cpu <<<"$measured")
    ours=${ours:-$seconds}
    printf '| %s | %s | %s | %s | %s | %s × | %s |\n' "$name" "$seconds" "$(spread <<<"$measured")" \
        "$(times_of "${all[@]}" "$@" | wall)" "$(peak_of "$@")" "$(ratio "$ours" "$seconds")" "$bar"
}

same() { [[ $2 == "$3" ]] || die "$1: logtopsy counts $2, the other $3"; }
total() { sed -n "s/^ *\"$1\": \([0-9]*\),*$/\1/p" "$dir/report" | head -1; }
corpus() { "$bin/examples/corpus" "$1" "$mb" >"$2"; }
lines() { "$logtopsy" "$@" --format json >"$dir/report" 2>/dev/null; total lines; }

# The ripgreps there are, the first on the PATH first.
ripgreps() { type -ap rg | xargs -n1 readlink -f | awk '!seen[$0]++'; }
# Whether a ripgrep looks for a literal that is in every line before it tries the expression.
literal_in_every_line() {
    head -100 "$file" | "$1" --debug -c "$2" >"$dir/out" 2>"$dir/err" || true
    grep -q 'literal found: .*status.*":"$' "$dir/err"
}

rg_rows() {
    local pattern=$1 bar=$2 count=$3 rg its
    while read -r rg; do
        its=$bar
        [[ $kind != json ]] || literal_in_every_line "$rg" "$pattern" || its=
        row "$("$rg" --version | awk 'NR == 1 { print $1, $2 }') \`-c '$pattern'\`" "$its" "$count" "$rg" -c "$pattern" "$file"
    done < <(ripgreps)
}

plain() {
    local args=(--format json) failed
    [[ $kind == timed || $kind == month ]] && args+=(--log-format "$timed_format")
    row '**logtopsy**' '' '' "$logtopsy" "${args[@]}" "$file"
    cp "$dir/out" "$dir/report"
    same "lines of $kind" "$(total lines)" "$(wc -l <"$file")"
    row '`wc -l`' '' "$(total lines)" wc -l "$file"
    case $kind in
    combined | timed | month)
        local rg_bar=1.0 goaccess_bar=0.01 fields='COMBINED'
        [[ $kind == timed ]] && rg_bar=1.05 goaccess_bar='' fields='%h - %^ [%d:%t %^] "%r" %s %b "%R" "%u" %T %^ %^ %v'
        failed=$(LC_ALL=C awk '$9 >= 500 && $9 < 600' "$file" | wc -l)
        same "failed requests of $kind" "$(total failed_requests)" "$failed"
        local hits
        hits=$(LC_ALL=C grep -c ' 50[0-9] ' "$file")
        LC_ALL=C row "\`grep -c ' 50[0-9] '\`" '' "$hits" grep -c ' 50[0-9] ' "$file"
        rg_rows ' 50[0-9] ' "$rg_bar" "$hits"
        have mawk && row 'mawk, 5xx' '' "$failed" mawk '$9 >= 500 && $9 < 600 { n++ } END { print n }' "$file"
        have duckdb && row 'DuckDB, 5xx' '' "$failed" duckdb -csv -noheader -c "select count(*) from read_csv('$file', delim=' ', quote='\"', header=false, columns={c:'text',i:'text',u:'text',t:'text',z:'text',r:'text',s:'int',b:'text',f:'text',a:'text'}, ignore_errors=true) where s >= 500"
        if [[ $kind == combined ]]; then
            have agrind && row 'angle-grinder, 5xx' '' "$failed" agrind -f "$file" '* | parse "\" * " as status | where status >= 500 | count'
            have lnav && row 'lnav, 5xx' '' "$failed" lnav -n -c ";select count(*) as ' ' from access_log where sc_status >= 500" -c ':write-csv-to -' "$file"
        fi
        have goaccess && row GoAccess "$goaccess_bar" '' goaccess "$file" --log-format="$fields" --date-format=%d/%b/%Y --time-format=%T -o json
        ;;
    json)
        failed=$(LC_ALL=C grep -c '"status":"5' "$file")
        same 'failed requests of json' "$(total failed_requests)" "$failed"
        rg_rows '"status":"?50[0-9]' 0.33 "$failed"
        have jq && row 'jq, status' 0.033 '' jq -r .status "$file"
        ;;
    error)
        failed=$("$logtopsy" records "$file" 2>/dev/null | grep -c '"level":"error"')
        rg_rows '\[error\]' 1.7 "$failed"
        have mawk && row 'mawk, errors per minute' 0.2 '' mawk '/\[error\]/ { n[$1 " " substr($2, 1, 5)]++ } END { for (m in n) print m, n[m] }' "$file"
        ;;
    application)
        failed=$("$logtopsy" records "$file" 2>/dev/null | grep -c '"level":"error"')
        rg_rows ' ERROR ' '' "$failed"
        have mawk && row 'mawk, errors per minute' 0.25 '' mawk '/ ERROR / { n[$1 " " substr($2, 1, 5)]++ } END { for (m in n) print m, n[m] }' "$file"
        ;;
    esac
}

gzip_rows() {
    local count bar=0.5 igzip_bar=4
    gzip -c "$file" >"$file.packed"
    count=$(wc -l <"$file")
    for logtopsy in "$dir/logtopsy" ${isal:+"$isal"}; do
        same 'lines of gzip' "$(lines "$file.packed")" "$count"
        head_of_table "one .gz, $size$([[ $logtopsy == "$isal" ]] && echo ', feature `isal`')"
        ours=
        row '**logtopsy**' '' '' "$logtopsy" --format json "$file.packed"
        row '`gzip -dc`' "$bar" '' gzip -dc "$file.packed"
        have igzip && row '`igzip -dc`' "$igzip_bar" '' igzip -dc "$file.packed"
        igzip_bar=2.1 bar=
    done
    logtopsy=$dir/logtopsy
    mkdir "$dir/many"
    split -n l/16 "$file" "$dir/many/access.log."
    gzip "$dir"/many/*
    same 'lines of 16 .gz' "$(lines "$dir/many")" "$count"
    local narrow wide
    narrow=$(times_of "${one[@]}" "$logtopsy" --format json "$dir/many" | wall)
    wide=$(times_of "${all[@]}" "$logtopsy" --format json "$dir/many" | wall)
    echo
    echo "16 .gz of the same: $narrow s of wall time on one core, $wide s on all: $(ratio "$wide" "$narrow") × (bar 0.6 on two)."
    rm -rf "$dir/many" "$file.packed"
}

zstd_rows() {
    have zstd || { echo 'no zstd here' && return; }
    zstd -q -c "$file" >"$file.packed"
    same 'lines of zstd' "$(lines "$file.packed")" "$(wc -l <"$file")"
    head_of_table "one .zst, $size"
    row '**logtopsy**' '' '' "$logtopsy" --format json "$file.packed"
    row '`zstd -dc`' 1.6 '' zstd -dc "$file.packed"
    rm "$file.packed"
}

timed_format='$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $request_time $upstream_response_time $upstream_addr $host'
model=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -1)
echo "$(date -u +%Y-%m-%d), $(nproc) cores of ${model:-an unknown CPU} ($(uname -sm)); medians of up to $runs runs, whole process, page-cached."
for kind in "${kinds[@]}"; do
    say "$kind"
    ours=
    file=$dir/log
    case $kind in
    gzip | zstd) corpus combined "$file" ;;
    *) corpus "$kind" "$file" ;;
    esac
    cat "$file" >/dev/null
    size="$(awk -v n="$(wc -c <"$file")" 'BEGIN { printf "%.0f MB", n / 1e6 }'), $(wc -l <"$file") lines"
    case $kind in
    gzip) gzip_rows ;;
    zstd) zstd_rows ;;
    *)
        head_of_table "$kind, $size"
        plain
        ;;
    esac
done

if [[ -n $docs ]]; then
    awk -v tables="$dir/tables" '
        /<!-- tables -->/ { print; while ((getline line < tables) > 0) print line; print ""; inside = 1; next }
        /<!-- end of tables -->/ { inside = 0 }
        !inside { print }
    ' "$docs" >"$dir/page"
    cat "$dir/page" >"$docs"
    cat "$dir/tables" >&3
fi
