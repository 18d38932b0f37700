# Prepares the chroot of web-03 before the recorded day: users, packages, configuration.
set -e
cd /root/rec
. ./host.sh
make_users
bash packages.sh
apt-get install -q -y --no-install-recommends --no-download apache2 >/dev/null
forget_logs
install_at '2024-08-22 16:11:09' shop-web=6.0.3
install_at '2024-09-03 11:48:52' shop-api=2.8.0
rsyslog_conf
supervisor_to_syslog
web_root
mkdir -p /var/www/blog/assets
cd /var/www/blog
for month in 01 02 03 04 05 06 07 08 09; do
    for page in sale fair new-lamps about-rice; do
        mkdir -p 2024/$month/$page
        head -c $((3000 + 700 * ${month#0} + ${#page} * 90)) /dev/urandom | base64 >2024/$month/$page/index.html
    done
done
head -c 9120 /dev/urandom >assets/style.css; head -c 80211 /dev/urandom >assets/header.jpg
head -c 5230 /dev/urandom >assets/feed.xml               # print.css is missing
cd /root/rec

a2enmod -q proxy proxy_http >/dev/null
a2dissite -q 000-default >/dev/null
# three sites in Debian's own log for virtual hosts, other_vhosts_access.log
cat >/etc/apache2/sites-available/sites.conf <<'CONF'
ServerName web-03
<VirtualHost *:80>
    ServerName shop.example
    DocumentRoot /var/www/shop
    ProxyPass /robots.txt !
    ProxyPass /healthz !
    ProxyPass /static !
    ProxyPass /favicon.ico !
    ProxyPass / http://127.0.0.1:8000/ retry=2 timeout=60
</VirtualHost>
<VirtualHost *:80>
    ServerName api.shop.example
    ProxyPass / http://127.0.0.1:8001/ retry=2 timeout=60
</VirtualHost>
<VirtualHost *:80>
    ServerName blog.shop.example
    DocumentRoot /var/www/blog
</VirtualHost>
CONF
a2ensite -q sites >/dev/null
rotation '/var/log/apache2/*.log' 300k root 'apachectl graceful' delaycompress
rotation '/var/log/app/*.log' 300k www-data "$gunicorn_rotates"
