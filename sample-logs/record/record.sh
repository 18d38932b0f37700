#!/bin/bash
# Record one sample: record.sh NAME [output directory]; NAME is a directory beside this file that holds a sample.conf.
# Needs root, Debian 12 with debootstrap and faketime, about 2 GB of disk and five minutes to a quarter of an hour.
# See README.md beside this file.
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)

case "${1:-}" in
--inside) inside=1; shift ;;
*) inside= ;;
esac
name=${1:?usage: record.sh NAME [output directory]}
out=${2:-$here/../$name}
work=${LOGTOPSY_RECORD_DIR:-/var/tmp/logtopsy-record}
[ -f "$here/$name/sample.conf" ] || { echo "unknown sample: $name" >&2; exit 2; }
. "$here/$name/sample.conf"        # hosts, zone, first, last, speed
first="${FROM:-$first}" last="${TO:-$last}" speed=${SPEED:-$speed}

# ---------------------------------------------------------------- the base system, made once
base=$work/base
if [ ! -e "$base/.ok" ]; then
    mkdir -p "$work"
    debootstrap --variant=minbase --include=ca-certificates,rsyslog,logrotate,cron,sudo,tzdata,iproute2,procps,curl,faketime,libfaketime,python3,nginx-light,supervisor,gunicorn,python3-flask,mime-support,libpam-modules,adduser,netbase,less \
        bookworm "$base"
    touch "$base/.ok"
fi
if [ ! -e "$base/.ok2" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$base/usr/sbin/policy-rc.d"
    chmod 755 "$base/usr/sbin/policy-rc.d"
    echo 'force-unsafe-io' >"$base/etc/dpkg/dpkg.cfg.d/unsafe-io"
    cp /etc/resolv.conf "$base/etc/resolv.conf"
    chroot "$base" apt-get update -q
    chroot "$base" apt-get install -q -y --no-install-recommends --download-only apache2 libapache2-mod-wsgi-py3
    : >"$base/etc/resolv.conf"
    touch "$base/.ok2"
fi

# ---------------------------------------------------------------- own namespaces
if [ -z "$inside" ]; then
    mkdir -p "$out"
    exec unshare --mount --net --ipc --pid --fork --kill-child --mount-proc "$0" --inside "$name" "$out"
fi
mount --make-rprivate /
ip link set lo up
# the clients live here, on addresses of their own; the hosts live behind one cable each
for net in 102.0.0.0/8 105.0.0.0/8 197.0.0.0/8 41.0.0.0/8 66.249.0.0/16 10.0.0.0/8 \
    46.0.0.0/8 84.0.0.0/8 91.0.0.0/8 188.0.0.0/8 49.0.0.0/8 106.0.0.0/8 117.0.0.0/8 177.0.0.0/8 189.0.0.0/8 73.0.0.0/8 98.0.0.0/8; do
    ip route add local $net dev lo
done
mkdir -p /run/netns
mount -t tmpfs netns /run/netns

stage=$work/run-$name
mkdir -p "$stage"
mount -t tmpfs -o size=3g stage "$stage"
# one piece of shared memory for all: it holds the faked clock
mount -t tmpfs -o mode=1777 shm /dev/shm

make_root() {          # make_root HOST : a chroot over the base system in $stage/HOST/root
    local root=$stage/$1/root n
    mkdir -p "$stage/$1"/{upper,work,root}
    mount -t overlay overlay -o "lowerdir=$base,upperdir=$stage/$1/upper,workdir=$stage/$1/work" "$root"
    mount -t proc proc "$root/proc"
    mount -t tmpfs -o mode=755 dev "$root/dev"
    for n in null:3 zero:5 full:7 random:8 urandom:9; do
        mknod -m 666 "$root/dev/${n%:*}" c 1 "${n#*:}"
    done
    mknod -m 666 "$root/dev/tty" c 5 0
    ln -s /proc/self/fd "$root/dev/fd"
    mkdir "$root/dev/pts"; mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"; ln -s pts/ptmx "$root/dev/ptmx"
    mkdir "$root/dev/shm"; mount --bind /dev/shm "$root/dev/shm"
    mount -t tmpfs run "$root/run"; mkdir -p "$root/run/lock" "$root/run/supervisor"
    mount -t tmpfs -o mode=1777 tmp "$root/tmp"
    printf '%s\n' "$1" >"$root/etc/hostname"
    printf '127.0.0.1 localhost\n::1 localhost\n%s %s\n' "${2:-127.0.1.1}" "$1" >"$root/etc/hosts"
    ln -sf "/usr/share/zoneinfo/$zone" "$root/etc/localtime"
    echo "$zone" >"$root/etc/timezone"
    echo 'LANG=C.UTF-8' >"$root/etc/default/locale"
    mkdir -p "$root/root/rec"
    cp -r "$here/app" "$here"/*.py "$here"/*.sh "$here/$name" "$root/root/rec/"
    chmod -R go+rX "$root/root/rec"
}

in_host() {            # in_host HOST COMMAND... : in the host's network, under its name, in its chroot
    ip netns exec "$1" unshare --uts sh -c 'hostname "$1"; shift; exec chroot "$@"' sh "$1" "$stage/$1/root" "${@:2}"
}

common="PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 TZ=$zone NAME=$name"
servers=
n=0
for host in $hosts; do
    n=$((n + 1))
    make_root "$host" 172.20.$n.10
    ip netns add "$host"
    ip link add "cable$n" type veth peer name eth0 netns "$host"
    ip addr add 172.20.$n.1/24 dev "cable$n"; ip link set "cable$n" up
    ip -n "$host" addr add 172.20.$n.10/24 dev eth0
    ip -n "$host" link set lo up; ip -n "$host" link set eth0 up
    ip -n "$host" route add default via 172.20.$n.1
    servers="$servers $host=172.20.$n.10"
    in_host "$host" env -i $common HOST="$host" bash "/root/rec/$name/prepare.sh"
done
make_root clients

# ---------------------------------------------------------------- the play, on one clock
export -f in_host
export stage hosts common name first last servers
env TZ="$zone" NO_FAKE_STAT=1 FAKETIME_DONT_RESET=1 chrt --rr 1 faketime -f "@$first x$speed" bash -c '
    chmod 666 /dev/shm/*
    play=(env -i $common LD_PRELOAD="$LD_PRELOAD" FAKETIME_SHARED="$FAKETIME_SHARED" FAKETIME="$FAKETIME" NO_FAKE_STAT=1 FAKETIME_DONT_RESET=1 FIRST="$first" LAST="$last" SERVERS="$servers")
    for host in $hosts; do
        in_host "$host" "${play[@]}" HOST="$host" bash "/root/rec/$name/play.sh" &
    done
    sleep 50
    chroot "$stage/clients/root" "${play[@]}" python3 /root/rec/traffic.py "$name" "$last" 2>"$stage/traffic.out" &
    wait' &
# the faketime command does not always come back while daemons live on, so the plays say when they are over
over() { local h; for h in $hosts; do [ -e "$stage/$h/root/tmp/played" ] || return 1; done; }
for _ in $(seq 7200); do
    over && break
    kill -0 $! 2>/dev/null || break
    sleep 1
done

# ---------------------------------------------------------------- the logs, as they are
for host in $hosts; do
    to=$out
    [ "$hosts" = "$host" ] || to=$out/$host
    rm -rf "$to/var"
    mkdir -p "$to/var/log"
    (cd "$stage/$host/root/var/log" && find . -type f \( -path './nginx/*' -o -path './apache2/*' -o -path './app/*' -o -path './apt/history.log*' \
        -o -name 'syslog*' -o -name 'dpkg.log*' -o -name 'auth.log*' \) -print0 | tar -cf - --null -T -) | tar -xf - -C "$to/var/log" --no-same-owner
    find "$to/var" -type f -exec chmod 644 {} +
    find "$to/var" -type d -empty -delete
    mkdir -p "$work/out-$name/$host"
    cp "$stage/$host"/root/root/rec/*.out "$work/out-$name/$host" 2>/dev/null || true
done
cp "$stage/traffic.out" "$work/out-$name/" 2>/dev/null || true
python3 "$here/count_truth.py" "$out"
