# Prepares the chroot of shop-02 before the recorded day: users, packages, configuration.
set -e
cd /root/rec
. ./host.sh
make_users
bash packages.sh
forget_logs
install_at '2025-02-18 13:40:03' shop-lite=0.9.6
rsyslog_conf traditional
supervisor_to_syslog
web_root
nginx_conf <<'CONF'
    access_log /var/log/nginx/access.log;
CONF
cat >/etc/nginx/conf.d/shop.conf <<'CONF'
server {
    listen 80 default_server;
    server_name shop.example;
    root /var/www/shop;
    location = /healthz { default_type text/plain; return 200 "ok\n"; }
    location = /robots.txt { }
    location = /favicon.ico { }
    location /static/ { etag on; }
    location / {
        proxy_pass http://127.0.0.1:8000;
        proxy_set_header Host $host;
        proxy_read_timeout 60s;
    }
}
CONF
rotation '/var/log/nginx/*.log' 300k www-data "$nginx_rotates" delaycompress
rotation '/var/log/app/*.log' 300k www-data true
