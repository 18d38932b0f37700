# Builds the packages of the sample NAME into a local repository, /srv/apt of the chroot.
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

# what differs between the applications, with what most of them have
program=shop           # supervisor's name
directory=/srv/app
port=8000
environment=           # more of it, each with a comma in front
startsecs=1
stopwaitsecs=30
workers='workers = 4'
accesslog='"/var/log/app/gunicorn-access.log"'
errorlog=/var/log/app/gunicorn-error.log
pidfile=/run/shop/gunicorn.pid
modules=$rec/app/shop.py

supervisor_conf() {    # supervisor_conf FILE VERSION AUTOSTART COMMAND
    mkdir -p "$(dirname "$1")"
    cat >"$1" <<END
[program:$program]
command=$4
directory=$directory
environment=SHOP_VERSION="$2"$environment
user=www-data
autostart=$3
autorestart=true
startsecs=$startsecs
stopsignal=TERM
stopwaitsecs=$stopwaitsecs
stdout_logfile=NONE
redirect_stderr=true
END
}

gunicorn='/usr/bin/gunicorn -c /srv/app/gunicorn.conf.py shop:app'

gunicorn_conf() {      # gunicorn_conf DIRECTORY
    cat >"$1/gunicorn.conf.py" <<END
bind = "127.0.0.1:$port"
$workers
timeout = 120
pidfile = "$pidfile"
accesslog = $accesslog
errorlog = "$errorlog"
access_log_format = '%({x-forwarded-for}i)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'
END
}

maint() {              # maint DIRECTORY SCRIPT  (text on stdin)
    mkdir -p "$1/DEBIAN"
    { echo '#!/bin/sh'; cat; } >"$1/DEBIAN/$2"
    chmod 755 "$1/DEBIAN/$2"
}

pack() {               # pack DIRECTORY : build it into the repository
    dpkg-deb --root-owner-group -Zgzip --build "$1" $repo >/dev/null
}

application() {        # application NAME VERSION CONF_NAME AUTOSTART COMMAND DEPENDS [DESCRIPTION]
    local d=$build/$1-$2
    mkdir -p "$d$directory"
    cp $modules "$d$directory/"
    gunicorn_conf "$d$directory"
    supervisor_conf "$d/etc/supervisor/conf.d/$3" "$2" "$4" "$5"
    control "$d" "$1" "$2" "$6" "${7:-shop application, served by gunicorn}"
    echo "/etc/supervisor/conf.d/$3" >"$d/DEBIAN/conffiles"
    maint "$d" prerm <<END
if supervisorctl pid >/dev/null 2>&1; then
    logger -t $program.prerm "stopping the application: \$(supervisorctl stop $program 2>&1)"
fi
exit 0
END
    maint "$d" postinst <<END
mkdir -p /run/shop /var/log/app
chown www-data:www-data /run/shop /var/log/app
if supervisorctl pid >/dev/null 2>&1; then
    supervisorctl update >/dev/null 2>&1
    logger -t $program.postinst "application: \$(supervisorctl status $program 2>&1)"
fi
exit 0
END
    pack "$d"
}

library() {            # library PACKAGE VERSION MODULE DESCRIPTION : a Python module; its source is MODULE_VERSION.py
    local d=$build/$1-$2
    mkdir -p "$d/usr/lib/python3/dist-packages"
    cp "$rec/app/$3_${2//./}.py" "$d/usr/lib/python3/dist-packages/$3.py"
    control "$d" "$1" "$2" python3 "$4"
    pack "$d"
}

on_gunicorn="gunicorn, python3-flask, supervisor"

case $NAME in
bad-gateway)
    application shop 1.8.1 shop.conf true "$gunicorn" "$on_gunicorn"
    application shop 1.8.2 shop.conf true "$gunicorn" "$on_gunicorn"
    application shop 2.0.1 shop-app.conf false "$gunicorn" "$on_gunicorn"

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
    pack $d ;;
web-01 | full-outage)
    [ $NAME = web-01 ] || accesslog=None
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
        application shop-web $v shop.conf true "$warm" "$on_gunicorn, python3-shopsession"
    done
    for v in 1.4.2 1.5.0; do
        library python3-shopsession $v shopsession "signed session cookies"
    done ;;
upgrade-500)
    accesslog=None
    workers='workers = 2'
    environment=',SHOP_WARM_SECONDS="65"'
    for v in 5.3.2 5.4.0; do
        d=$build/shop-web-$v
        mkdir -p $d/srv/app
        cat >$d/srv/app/start <<END
#!/bin/sh
# checks the database when there is no catalogue cache, then serves; the application answers 503 until it has filled the cache
[ -s /run/shop/catalogue ] || sleep 30
exec $gunicorn
END
        chmod 755 $d/srv/app/start
        application shop-web $v shop.conf true /srv/app/start "$on_gunicorn, python3-shopdb"
    done
    for v in 2.3.1 2.4.0; do
        library python3-shopdb $v shopdb "the shop's database"
    done
    for v in 1.1.0 1.1.1; do
        d=$build/shop-fonts-$v
        mkdir -p $d/usr/share/shop-fonts; echo $v >$d/usr/share/shop-fonts/version
        control $d shop-fonts $v "" "fonts of the shop"
        sed -i '/^Depends/d' $d/DEBIAN/control
        pack $d
    done ;;
one-of-two)
    accesslog=None
    workers=$'workers = 1\nworker_class = "gthread"\nthreads = 48'
    environment=',SHOP_POOL="1",SHOP_LONE_ERRORS="0"'
    application shop 4.2.0 shop.conf true "$gunicorn" "$on_gunicorn" ;;
one-vhost)
    accesslog=None
    application shop-web 6.0.3 shop.conf true "$gunicorn" "$on_gunicorn"
    program=api directory=/srv/api port=8001 startsecs=20 modules=$rec/app/api.py
    errorlog=/var/log/app/api-error.log pidfile=/run/shop/api.pid environment=',SHOP_LOG="/var/log/app/api.log"'
    for v in 2.8.0 2.9.0; do
        sed "s/^VERSION = .*/VERSION = \"$v\"/" $rec/app/api_$v.py >$rec/app/api.py
        application shop-api $v api.conf true "/usr/bin/gunicorn -c /srv/api/gunicorn.conf.py api:app" "$on_gunicorn" \
            "the shop's programming interface"
    done ;;
json-504)
    accesslog=None
    application shop-web 7.1.0 shop.conf true "$gunicorn" "$on_gunicorn"
    program=search directory=/srv/search port=8001 stopwaitsecs=40 modules="$rec/app/search.py $rec/app/reindex.py"
    workers=$'workers = 2\nworker_class = "gthread"\nthreads = 40' errorlog=/var/log/app/search-error.log
    pidfile=/run/shop/search.pid environment=',SHOP_LOG="/var/log/app/search.log"'
    application shop-search 1.4.4 search.conf true "/usr/bin/gunicorn -c /srv/search/gunicorn.conf.py search:app" \
        "$on_gunicorn" "the shop's search" ;;
quiet-day)
    modules=$rec/app/plain.py
    application shop-lite 0.9.6 shop.conf true "/usr/bin/python3 -I -S /srv/app/plain.py 8000" "python3, supervisor" \
        "small shop application" ;;
midnight-rotation)
    accesslog=None
    application shop-web 5.3.2 shop.conf true "$gunicorn" "$on_gunicorn, python3-shopdb"
    library python3-shopdb 2.3.1 shopdb "the shop's database" ;;
esac

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
