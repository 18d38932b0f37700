# Prepares the chroot of www-01 and www-02 before the recorded day: users, packages, configuration.
set -e
cd /root/rec
. ./host.sh
make_users
bash packages.sh
apt-get install -q -y --no-install-recommends --no-download apache2 >/dev/null
forget_logs
install_at '2023-05-11 10:32:18' shop-web=3.0.4 python3-shopsession=1.4.2
install_at '2023-05-25 15:07:41' shop-web=3.1.0
rsyslog_conf
supervisor_to_syslog
web_root

a2enmod -q proxy proxy_http >/dev/null
a2dissite -q 000-default >/dev/null
cat >/etc/apache2/sites-available/shop.conf <<CONF
ServerName $HOST
<VirtualHost *:80>
    DocumentRoot /var/www/shop
    ErrorLog \${APACHE_LOG_DIR}/error.log
    CustomLog \${APACHE_LOG_DIR}/access.log combined
    ProxyPass /robots.txt !
    ProxyPass /healthz !
    ProxyPass /static !
    ProxyPass / http://127.0.0.1:8000/ retry=2 timeout=60
    ProxyPassReverse / http://127.0.0.1:8000/
    <Directory /var/www/shop>
        Require all granted
    </Directory>
</VirtualHost>
CONF
a2ensite -q shop >/dev/null
rotation '/var/log/apache2/*.log' 300k root 'apachectl graceful' delaycompress
rotation '/var/log/app/*.log' 300k www-data "$gunicorn_rotates"
