# Prepares the chroot of web-01 before the recorded day: users, packages, configuration.
set -e
cd /root/rec
useradd -m -s /bin/bash deploy
bash packages.sh
# passwords were last changed before the recorded day, not today
awk -F: -v OFS=: '{ $3 = 19300; print }' /etc/shadow >/etc/shadow.new
cat /etc/shadow.new >/etc/shadow; rm /etc/shadow.new
apt-get install -q -y --no-install-recommends --no-download apache2 >/dev/null

cat >/etc/sudoers.d/deploy <<'END'
deploy ALL=(ALL) NOPASSWD: ALL
Defaults env_file=/etc/recording.env
END
chmod 440 /etc/sudoers.d/deploy
sed -i "s|^session.*pam_limits.so|# &|" /etc/pam.d/*

# from here on the package logs tell of the host's own past
rm -rf /var/log/*; mkdir -p /var/log/apache2 /var/log/apt /var/log/supervisor
install() { faketime "$1" apt-get install -y --no-install-recommends "${@:2}" >/dev/null; }
install '2024-04-18 11:05:44' shop-web=3.0.4 python3-shopsession=1.4.2
install '2024-05-06 10:21:09' shop-web=3.1.0

# rsyslog: Debian's files, the time of arrival, Debian 12's own format with the offset
cat >/etc/rsyslog.conf <<'END'
module(load="imuxsock" SysSock.UseSysTimeStamp="off" SysSock.IgnoreTimestamp="on")
auth,authpriv.*                 /var/log/auth.log
*.*;auth,authpriv.none          -/var/log/syslog
END

sed -i 's#^logfile=.*#logfile=syslog#; s#^\[supervisord\]#[supervisord]\nuser=root#' /etc/supervisor/supervisord.conf

a2dismod -q -f mpm_event >/dev/null
a2enmod -q mpm_prefork proxy proxy_http rewrite >/dev/null
a2dissite -q 000-default >/dev/null
cat >/etc/apache2/sites-available/shop.conf <<'END'
ServerName web-01
<VirtualHost *:80>
    DocumentRoot /var/www/shop
    ErrorLog ${APACHE_LOG_DIR}/error.log
    CustomLog ${APACHE_LOG_DIR}/access.log combined
    RewriteEngine on
    RewriteCond /var/www/shop/maintenance -f
    RewriteCond %{REQUEST_URI} !^/(healthz|robots.txt)$
    RewriteRule ^ - [R=503,L]
    ProxyPass /robots.txt !
    ProxyPass /healthz !
    ProxyPass /static !
    ProxyPass / http://127.0.0.1:8000/ retry=2 timeout=60
    ProxyPassReverse / http://127.0.0.1:8000/
    <Directory /var/www/shop>
        Require all granted
    </Directory>
</VirtualHost>
END
a2ensite -q shop >/dev/null
cat >/etc/apache2/mods-available/mpm_prefork.conf <<'END'
StartServers 6
MinSpareServers 3
MaxSpareServers 5
MaxRequestWorkers 120
MaxConnectionsPerChild 0
END
mkdir -p /var/www/shop/static
cd /var/www/shop
printf 'User-agent: *\nDisallow: /checkout\n' >robots.txt
echo ok >healthz
head -c 18230 /dev/urandom >static/app.css; head -c 74112 /dev/urandom >static/app.js
head -c 2210 /dev/urandom >static/logo.svg; head -c 31044 /dev/urandom >static/font.woff2

cat >/etc/logrotate.d/recorded <<'END'
/var/log/apache2/*.log {
    size 450k
    rotate 20
    compress
    compressoptions -9n
    delaycompress
    notifempty
    missingok
    create 0640 root adm
    sharedscripts
    postrotate
        apachectl graceful
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
