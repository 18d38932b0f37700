# Helpers of the prepare scripts; they run inside the chroot before the recorded day.

make_users() {         # the operator, and passwords last changed before the recorded day
    useradd -m -s /bin/bash deploy
    awk -F: -v OFS=: '{ $3 = 19300; print }' /etc/shadow >/etc/shadow.new
    cat /etc/shadow.new >/etc/shadow; rm /etc/shadow.new
    cat >/etc/sudoers.d/deploy <<'CONF'
deploy ALL=(ALL) NOPASSWD: ALL
Defaults env_file=/etc/recording.env
CONF
    chmod 440 /etc/sudoers.d/deploy
    sed -i "s|^session.*pam_limits.so|# &|" /etc/pam.d/*
}

forget_logs() {        # from here on the package logs tell of the host's own past
    rm -rf /var/log/*
    mkdir -p /var/log/nginx /var/log/apache2 /var/log/app /var/log/apt /var/log/supervisor /run/shop
    chown www-data:www-data /var/log/app /run/shop
}

install_at() {         # install_at TIME PACKAGE...
    faketime "$1" apt-get install -y --no-install-recommends "${@:2}" >/dev/null
}

rsyslog_conf() {       # rsyslog_conf [traditional] : Debian's files, the time of arrival
    { echo 'module(load="imuxsock" SysSock.UseSysTimeStamp="off" SysSock.IgnoreTimestamp="on")'
      [ "${1:-}" != traditional ] || echo 'module(load="builtin:omfile" Template="RSYSLOG_TraditionalFileFormat")'
      echo 'auth,authpriv.*                 /var/log/auth.log'
      echo '*.*;auth,authpriv.none          -/var/log/syslog'
    } >/etc/rsyslog.conf
}

supervisor_to_syslog() {
    sed -i 's#^logfile=.*#logfile=syslog#; s#^\[supervisord\]#[supervisord]\nuser=root#' /etc/supervisor/supervisord.conf
}

nginx_conf() {         # nginx_conf : the http block's log lines on stdin
    { for v in LD_PRELOAD FAKETIME FAKETIME_SHARED FAKETIME_DONT_RESET NO_FAKE_STAT TZ; do echo "env $v;"; done
      cat <<'CONF'
user www-data;
worker_processes 2;
pid /run/nginx.pid;
error_log /var/log/nginx/error.log;
events { worker_connections 768; }
http {
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
CONF
      cat
      cat <<'CONF'
    keepalive_timeout 65;
    server_tokens off;
    include /etc/nginx/conf.d/*.conf;
}
CONF
    } >/etc/nginx/nginx.conf
}

web_root() {           # the files that the edge serves by itself
    mkdir -p /var/www/shop/static
    cd /var/www/shop
    printf 'User-agent: *\nDisallow: /checkout\n' >robots.txt
    echo ok >healthz
    head -c 18230 /dev/urandom >static/app.css; head -c 74112 /dev/urandom >static/app.js
    head -c 2210 /dev/urandom >static/logo.svg; head -c 31044 /dev/urandom >static/font.woff2
    head -c 1150 /dev/urandom >favicon.ico
    cd /root/rec
}

rotation() {           # rotation PATTERN SIZE OWNER POSTROTATE [OPTION...]
    { echo "$1 {"
      printf '    size %s\n    rotate 20\n    compress\n    compressoptions -9n\n' "$2"
      [ $# -lt 5 ] || printf '    %s\n' "${@:5}"
      printf '    notifempty\n    missingok\n    create 0640 %s adm\n    sharedscripts\n    postrotate\n        %s\n    endscript\n}\n' "$3" "$4"
    } >>/etc/logrotate.d/recorded
    chmod 644 /etc/logrotate.d/recorded
}
nginx_rotates='kill -USR1 $(cat /run/nginx.pid)'
gunicorn_rotates='[ ! -s /run/shop/gunicorn.pid ] || kill -USR1 $(cat /run/shop/gunicorn.pid) || true'
