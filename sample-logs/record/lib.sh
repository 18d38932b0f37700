# Helpers of the play scripts; they run inside the chroot, under libfaketime.
DAY=${FIRST%% *}

at() {                 # at ["DATE "]HH:MM:SS : wait until that time (of the first day); false when it is past
    local t n d
    case $1 in
    *' '*) t=$(date -d "$1" +%s) ;;
    *) t=$(date -d "$DAY $1" +%s) ;;
    esac
    n=$(date +%s)
    [ "$n" -le "$t" ] || return 1
    [ "$t" -lt "$(date -d "$LAST" +%s)" ] || return 1
    while [ "$n" -lt "$t" ]; do
        d=$((t - n)); [ $d -gt 20 ] && d=$((d - 10))
        sleep "$d"
        n=$(date +%s)
    done
}

op() {                 # the operator's command, by way of sudo
    (cd /home/deploy && setpriv --reuid=deploy --regid=deploy --init-groups \
        env HOME=/home/deploy USER=deploy LOGNAME=deploy sudo "$@") >>/root/rec/op.out 2>&1 </dev/null
}

share_clock() {        # every process, sudo's and cron's children too, reads the same faked clock
    env | grep -E '^(LD_PRELOAD|FAKETIME|FAKETIME_SHARED|FAKETIME_DONT_RESET|NO_FAKE_STAT|TZ)=' >/etc/recording.env
    { cat /etc/recording.env; echo 'PATH=/usr/sbin:/usr/bin:/sbin:/bin'
      echo "${ROTATE_AT:-*/15 * * * *} root logrotate /etc/logrotate.d/recorded"
      [ -z "${CRON_EXTRA:-}" ] || printf '%s\n' "$CRON_EXTRA"
    } >/etc/cron.d/recorded
    chmod 644 /etc/cron.d/recorded
}

start_common() {
    rsyslogd -n >/root/rec/rsyslog.out 2>&1 &
    sleep 5
    cron
    supervisord -c /etc/supervisor/supervisord.conf
}

to_the_end() {         # until the recorded stretch is over
    while [ "$(date +%s)" -lt "$(date -d "$LAST" +%s)" ]; do sleep 2; done
    touch /tmp/played
}
