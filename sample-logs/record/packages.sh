# Builds the packages of both samples into a local repository, /srv/apt of the chroot.
build=/tmp/build
repo=/srv/apt
mkdir -p $repo $build
rec=/root/rec

control() {            # control DIRECTORY NAME VERSION DEPENDS DESCRIPTION
    mkdir -p "$1/DEBIAN"
    cat >"$1/DEBIAN/control" <<END
Package: $2
Version: $3
Architecture: all
Maintainer: Shop operations <ops@shop.example>
Section: web
Priority: optional
Depends: $4
Description: $5
END
}

supervisor_conf() {    # supervisor_conf FILE VERSION AUTOSTART COMMAND
    mkdir -p "$(dirname "$1")"
    cat >"$1" <<END
[program:shop]
command=$4
directory=/srv/app
environment=SHOP_VERSION="$2"
user=www-data
autostart=$3
autorestart=true
stopsignal=TERM
stopwaitsecs=30
stdout_logfile=NONE
redirect_stderr=true
END
}

gunicorn='/usr/bin/gunicorn -c /srv/app/gunicorn.conf.py shop:app'

gunicorn_conf() {      # gunicorn_conf DIRECTORY
    cat >"$1/gunicorn.conf.py" <<'END'
bind = "127.0.0.1:8000"
workers = 4
timeout = 120
pidfile = "/run/shop/gunicorn.pid"
accesslog = "/var/log/app/gunicorn-access.log"
errorlog = "/var/log/app/gunicorn-error.log"
access_log_format = '%({x-forwarded-for}i)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'
END
}

maint() {              # maint DIRECTORY SCRIPT  (text on stdin)
    mkdir -p "$1/DEBIAN"
    { echo '#!/bin/sh'; cat; } >"$1/DEBIAN/$2"
    chmod 755 "$1/DEBIAN/$2"
}

gunicorn_package() {   # gunicorn_package NAME VERSION CONF_NAME AUTOSTART COMMAND DEPENDS
    local d=$build/$1-$2
    mkdir -p "$d/srv/app"
    cp $rec/app/shop.py "$d/srv/app/shop.py"
    gunicorn_conf "$d/srv/app"
    supervisor_conf "$d/etc/supervisor/conf.d/$3" "$2" "$4" "$5"
    control "$d" "$1" "$2" "$6" "shop application, served by gunicorn"
    echo "/etc/supervisor/conf.d/$3" >"$d/DEBIAN/conffiles"
    maint "$d" prerm <<'END'
if supervisorctl pid >/dev/null 2>&1; then
    logger -t shop.prerm "stopping the application: $(supervisorctl stop shop 2>&1)"
fi
exit 0
END
    maint "$d" postinst <<'END'
mkdir -p /run/shop /var/log/app
chown www-data:www-data /run/shop /var/log/app
if supervisorctl pid >/dev/null 2>&1; then
    supervisorctl update >/dev/null 2>&1
    logger -t shop.postinst "application: $(supervisorctl status shop 2>&1)"
fi
exit 0
END
    dpkg-deb --root-owner-group -Zgzip --build "$d" $repo >/dev/null
}

if [ "$NAME" = bad-gateway ]; then
    gunicorn_package shop 1.8.1 shop.conf true "$gunicorn" "gunicorn, python3-flask, supervisor"
    gunicorn_package shop 1.8.2 shop.conf true "$gunicorn" "gunicorn, python3-flask, supervisor"
    gunicorn_package shop 2.0.1 shop-app.conf false "$gunicorn" "gunicorn, python3-flask, supervisor"

    # 2.0.0: built for apache2 with mod_wsgi, on port 80
    d=$build/shop-2.0.0
    mkdir -p $d/srv/app $d/etc/apache2/sites-available
    cp $rec/app/shop.py $d/srv/app/shop.py
    echo 'from shop import app as application' >$d/srv/app/wsgi.py
    cat >$d/etc/apache2/sites-available/shop.conf <<'END'
ServerName shop-01
<VirtualHost *:80>
    WSGIDaemonProcess shop user=www-data processes=4 python-path=/srv/app
    WSGIScriptAlias / /srv/app/wsgi.py process-group=shop
    <Directory /srv/app>
        Require all granted
    </Directory>
</VirtualHost>
END
    control $d shop 2.0.0 "apache2, libapache2-mod-wsgi-py3, python3-flask" "shop application, served by apache2"
    echo /etc/apache2/sites-available/shop.conf >$d/DEBIAN/conffiles
    maint $d postinst <<'END'
rm -f /etc/supervisor/conf.d/shop.conf
supervisorctl update >/dev/null 2>&1
a2dissite -q 000-default >/dev/null 2>&1
a2ensite -q shop >/dev/null 2>&1
apachectl start 2>&1 | logger -i -t apachectl
exit 0
END
    maint $d postrm <<'END'
rm -f /etc/apache2/sites-enabled/shop.conf
exit 0
END
    dpkg-deb --root-owner-group -Zgzip --build $d $repo >/dev/null
else
    warm='/srv/app/start'
    for v in 3.0.4 3.1.0; do
        d=$build/shop-web-$v
        mkdir -p $d/srv/app
        cat >$d/srv/app/start <<END
#!/bin/sh
# fills the catalogue cache when there is none, then serves
[ -s /run/shop/catalogue ] || { sleep 118; echo filled >/run/shop/catalogue; }
exec $gunicorn
END
        chmod 755 $d/srv/app/start
        gunicorn_package shop-web $v shop.conf true "$warm" "gunicorn, python3-flask, supervisor, python3-shopsession"
    done
    for v in 1.4.2 1.5.0; do
        d=$build/shopsession-$v
        mkdir -p $d/usr/lib/python3/dist-packages
        cp $rec/app/shopsession_${v//./}.py $d/usr/lib/python3/dist-packages/shopsession.py
        control $d python3-shopsession $v python3 "signed session cookies"
        dpkg-deb --root-owner-group -Zgzip --build $d $repo >/dev/null
    done
fi

for deb in $repo/*.deb; do
    dpkg-deb -f "$deb"
    echo "Filename: ./${deb##*/}"
    echo "Size: $(stat -c %s "$deb")"
    echo "SHA256: $(sha256sum "$deb" | cut -d' ' -f1)"
    echo
done >$repo/Packages
echo 'deb [trusted=yes] file:/srv/apt ./' >/etc/apt/sources.list.d/shop.list
apt-get update -q -o Dir::Etc::sourcelist=/etc/apt/sources.list.d/shop.list -o Dir::Etc::sourceparts=- \
    -o APT::Get::List-Cleanup=0 >/dev/null
rm -rf $build
