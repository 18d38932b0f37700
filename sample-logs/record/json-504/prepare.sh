# Prepares the chroot of edge-01 before the recorded day: users, packages, configuration.
set -e
cd /root/rec
. ./host.sh
make_users
bash packages.sh
forget_logs
install_at '2025-01-20 12:02:44' shop-web=7.1.0 shop-search=1.4.4
rsyslog_conf
supervisor_to_syslog
web_root
mkdir -p /var/lib/shop
python3 app/make_db.py /var/lib/shop/shop.db
chown -R www-data /var/lib/shop
nginx_conf <<'CONF'
    log_format json escape=json '{"time":"$time_iso8601","host":"$hostname","remote":"$remote_addr","vhost":"$host","verb":"$request_method",'
        '"uri":"$request_uri","proto":"$server_protocol","status":$status,"size":$body_bytes_sent,"request_time":$request_time,'
        '"upstream":"$upstream_addr","upstream_status":"$upstream_status","upstream_time":"$upstream_response_time",'
        '"referer":"$http_referer","agent":"$http_user_agent"}';
    access_log /var/log/nginx/access.log json;
CONF
cat >/etc/nginx/conf.d/shop.conf <<'CONF'
upstream shop { server 127.0.0.1:8000; }
upstream search { server 127.0.0.1:8001; }
server {
    listen 80 default_server;
    server_name shop.example;
    root /var/www/shop;
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $remote_addr;
    location = /healthz { default_type text/plain; return 200 "ok\n"; }
    location = /robots.txt { }
    location = /favicon.ico { }
    location /static/ { etag on; }
    location ~ ^/(search|suggest)$ {
        proxy_pass http://search;
        proxy_read_timeout 30s;
    }
    location / { proxy_pass http://shop; }
}
CONF
rotation '/var/log/nginx/*.log' 500k www-data "$nginx_rotates" delaycompress
rotation '/var/log/app/*.log' 300k www-data "$gunicorn_rotates"
