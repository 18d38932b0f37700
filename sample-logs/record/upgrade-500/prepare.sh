# Prepares the chroot of app-01 and app-02 before the recorded day: users, packages, configuration.
set -e
cd /root/rec
. ./host.sh
make_users
bash packages.sh
forget_logs
install_at '2024-03-12 09:41:27' shop-web=5.3.2 python3-shopdb=2.3.1 shop-fonts=1.1.0
install_at '2024-04-08 14:02:55' shop-web=5.4.0
rsyslog_conf
supervisor_to_syslog
mkdir -p /var/lib/shop
python3 app/make_db.py /var/lib/shop/shop.db
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
    location /static/ { etag on; }
    location / {
        proxy_pass http://127.0.0.1:8000;
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $remote_addr;
    }
}
CONF
rotation '/var/log/nginx/*.log' 300k www-data "$nginx_rotates" delaycompress
rotation '/var/log/app/*.log' 300k www-data "$gunicorn_rotates"
