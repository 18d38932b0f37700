# Prepares the chroot of shop-03 before the recorded night: users, packages, configuration.
set -e
cd /root/rec
. ./host.sh
make_users
bash packages.sh
forget_logs
install_at '2024-10-15 10:19:33' shop-web=5.3.2 python3-shopdb=2.3.1
rsyslog_conf
supervisor_to_syslog
web_root
mkdir -p /var/lib/shop
python3 app/make_db.py /var/lib/shop/shop.db
chown -R www-data /var/lib/shop
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
        proxy_set_header X-Forwarded-For $remote_addr;
    }
}
CONF
# everything is rotated once, at midnight; the web server's old logs are compressed at once, syslog's a day later
rotation '/var/log/nginx/*.log' 1 www-data "$nginx_rotates"
rotation '/var/log/app/*.log' 1 www-data "$gunicorn_rotates" delaycompress
rotation '/var/log/syslog /var/log/auth.log' 1 root 'kill -HUP $(cat /run/rsyslogd.pid)' delaycompress
