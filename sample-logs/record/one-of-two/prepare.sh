# Prepares the chroot of web-01 and web-02 before the recorded day: users, packages, configuration.
set -e
cd /root/rec
. ./host.sh
make_users
bash packages.sh
forget_logs
install_at '2023-03-28 15:20:36' shop=4.2.0
rsyslog_conf
supervisor_to_syslog
web_root
nginx_conf <<'CONF'
    log_format timed '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
                     '"$http_referer" "$http_user_agent" rt=$request_time urt=$upstream_response_time';
    access_log /var/log/nginx/access.log timed;
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
# what web-02 will get: the old block was copied to make room for a second site, and its port was changed
sed 's/listen 80 default_server/listen 8080 default_server/' /etc/nginx/conf.d/shop.conf >/home/deploy/shop.conf
chown deploy: /home/deploy/shop.conf
rotation '/var/log/nginx/*.log' 350k www-data "$nginx_rotates" delaycompress
rotation '/var/log/app/*.log' 350k www-data "$gunicorn_rotates"
