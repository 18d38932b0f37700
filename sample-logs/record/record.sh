#!/bin/bash
# Record one sample: record.sh bad-gateway|web-01 [output directory]
# Needs root, Debian 12 (or a host with debootstrap), about 2 GB of disk and one to two quarters of an hour.
# See README.md beside this file.
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)

case "${1:-}" in
--inside) inside=1; shift ;;
*) inside= ;;
esac
name=${1:?usage: record.sh bad-gateway|web-01 [output directory]}
out=${2:-$here/../$name}
work=${LOGTOPSY_RECORD_DIR:-/var/tmp/logtopsy-record}
export SPEED=${SPEED:-20}

case $name in
bad-gateway) host=shop-01; first="2023-05-14 ${FROM:-10:15:00}"; last="2023-05-14 ${TO:-13:58:30}"; server=102.89.44.10 ;;
web-01)      host=web-01;  first="2024-05-12 ${FROM:-08:00:00}"; last="2024-05-12 ${TO:-11:58:30}"; server=102.67.16.5 ;;
*) echo "unknown sample: $name" >&2; exit 2 ;;
esac

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
    exec unshare --mount --net --uts --ipc --pid --fork --kill-child "$0" --inside "$name" "$out"
fi
mount --make-rprivate /
hostname "$host"
ip link set lo up
for net in 102.0.0.0/8 105.0.0.0/8 197.0.0.0/8 41.0.0.0/8 66.249.0.0/16 10.0.0.0/8; do
    ip route add local $net dev lo
done

stage=$work/run-$name
root=$stage/root
mkdir -p "$stage"
mount -t tmpfs -o size=2g stage "$stage"
mkdir -p "$stage"/{upper,work,root}
mount -t overlay overlay -o "lowerdir=$base,upperdir=$stage/upper,workdir=$stage/work" "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 dev "$root/dev"
for n in null:3 zero:5 full:7 random:8 urandom:9 tty; do
    case $n in
    tty) mknod -m 666 "$root/dev/tty" c 5 0 ;;
    *) mknod -m 666 "$root/dev/${n%:*}" c 1 "${n#*:}" ;;
    esac
done
ln -s /proc/self/fd "$root/dev/fd"
mkdir "$root/dev/pts"; mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"; ln -s pts/ptmx "$root/dev/ptmx"
mkdir "$root/dev/shm"; mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
mount -t tmpfs run "$root/run"; mkdir -p "$root/run/lock" "$root/run/supervisor"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"

printf '%s\n' "$host" >"$root/etc/hostname"
printf '127.0.0.1 localhost\n::1 localhost\n%s %s\n' "$server" "$host" >"$root/etc/hosts"
ln -sf /usr/share/zoneinfo/Africa/Lagos "$root/etc/localtime"
echo Africa/Lagos >"$root/etc/timezone"
echo 'LANG=C.UTF-8' >"$root/etc/default/locale"
mkdir -p "$root/root/rec"
cp -r "$here/app" "$here/traffic.py" "$here/lib.sh" "$here/packages.sh" "$here/$name" "$root/root/rec/"
chmod -R go+rX "$root/root/rec"

env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 TZ=Africa/Lagos NAME="$name" \
    chroot "$root" bash "/root/rec/$name/prepare.sh"
env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 TZ=Africa/Lagos NAME="$name" HOST="$host" \
    FIRST="$first" LAST="$last" NO_FAKE_STAT=1 FAKETIME_DONT_RESET=1 \
    chroot "$root" faketime -f "@$first x$SPEED" bash "/root/rec/$name/play.sh" &
# the faketime command does not always come back while daemons live on, so the play says when it is over
for _ in $(seq 7200); do
    [ -e "$root/tmp/played" ] && break
    kill -0 $! 2>/dev/null || break
    sleep 1
done

# ---------------------------------------------------------------- the logs, as they are
rm -rf "$out/var"
mkdir -p "$out/var/log"
(cd "$root/var/log" && find . -type f \( -path './nginx/*' -o -path './apache2/*' -o -path './app/*' -o -path './apt/history.log*' \
    -o -name 'syslog*' -o -name 'dpkg.log*' -o -name 'auth.log*' \) -print0 | tar -cf - --null -T -) | tar -xf - -C "$out/var/log" --no-same-owner
find "$out/var" -type f -exec chmod 644 {} +
find "$out/var" -type d -empty -delete
cp "$root"/root/rec/*.out "$stage/.." 2>/dev/null || true
python3 "$here/count_truth.py" "$out"
