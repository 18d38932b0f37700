# Prepares the chroot of shop-01 before the recorded day: users, packages, configuration.
set -e
cd /root/rec
useradd -m -s /bin/bash deploy
bash packages.sh
# passwords were last changed before the recorded day, not today
awk -F: -v OFS=: '{ $3 = 19300; print }' /etc/shadow >/etc/shadow.new
cat /etc/shadow.new >/etc/shadow; rm /etc/shadow.new

cat >/etc/sudoers.d/deploy <<'END'
deploy ALL=(ALL) NOPASSWD: ALL
Defaults env_file=/etc/recording.env
END
chmod 440 /etc/sudoers.d/deploy
sed -i "s|^session.*pam_limits.so|# &|" /etc/pam.d/*

# from here on the package logs tell of the host's own past
rm -rf /var/log/*; mkdir -p /var/log/nginx /var/log/apt /var/log/supervisor
install() { faketime "$1" apt-get install -y --no-install-recommends "$2" >/dev/null; }
install '2023-04-27 16:40:12' shop=1.8.1
install '2023-05-09 09:12:31' shop=1.8.2

# rsyslog: Debian's files, the time of arrival, the traditional format
cat >/etc/rsyslog.conf <<'END'
module(load="imuxsock" SysSock.UseSysTimeStamp="off" SysSock.IgnoreTimestamp="on")
module(load="builtin:omfile" Template="RSYSLOG_TraditionalFileFormat")
auth,authpriv.*                 /var/log/auth.log
*.*;auth,authpriv.none          -/var/log/syslog
END

sed -i 's#^logfile=.*#logfile=syslog#; s#^\[supervisord\]#[supervisord]\nuser=root#' /etc/supervisor/supervisord.conf

cat >/etc/nginx/nginx.conf <<'END'
env LD_PRELOAD;
env FAKETIME;
env FAKETIME_SHARED;
env FAKETIME_DONT_RESET;
env NO_FAKE_STAT;
env TZ;
user www-data;
worker_processes 2;
pid /run/nginx.pid;
error_log /var/log/nginx/error.log;
events { worker_connections 768; }
http {
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    access_log /var/log/nginx/access.log;
    keepalive_timeout 65;
    server_tokens off;
    include /etc/nginx/conf.d/*.conf;
}
END
cat >/etc/nginx/conf.d/shop.conf <<'END'
server {
    listen 80 default_server;
    listen [::]:80 default_server;
    server_name shop.example;
    location = /healthz { default_type text/plain; return 200 "ok\n"; }
    location = /robots.txt { root /var/www; }
    location / {
        proxy_pass http://127.0.0.1:8000;
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_read_timeout 60s;
    }
}
END
mkdir -p /var/www
printf 'User-agent: *\nDisallow: /checkout\n' >/var/www/robots.txt

cat >/etc/logrotate.d/recorded <<'END'
/var/log/nginx/*.log {
    size 450k
    rotate 20
    compress
    compressoptions -9n
    delaycompress
    notifempty
    missingok
    create 0640 www-data adm
    sharedscripts
    postrotate
        kill -USR1 $(cat /run/nginx.pid)
    endscript
}
/var/log/app/*.log {
    size 450k
    rotate 20
    compress
    compressoptions -9n
    notifempty
    missingok
    create 0640 www-data adm
    sharedscripts
    postrotate
        [ ! -s /run/shop/gunicorn.pid ] || kill -USR1 $(cat /run/shop/gunicorn.pid) || true
    endscript
}
END
chmod 644 /etc/logrotate.d/recorded
mkdir -p /run/shop /var/log/app; chown www-data:www-data /run/shop /var/log/app
