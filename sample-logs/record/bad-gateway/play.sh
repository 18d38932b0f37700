# The recorded day of shop-01 (Sunday 2023-05-14): nginx in front of gunicorn.
. /root/rec/lib.sh
share_clock
start_common
nginx
sleep 15
python3 /root/rec/app/http_watch.py /var/log/nginx/access.log 60 10 &

# the healthy part: a graceful reload, then a configuration test that fails and changes nothing
at 10:42:10 && { op nginx -t; sleep 4; op nginx -s reload; }
at 11:21:30 && { op sed -i 's/60s;/60 seconds;/' /etc/nginx/conf.d/shop.conf; sleep 6; op nginx -t
                 sleep 30; op sed -i 's/60 seconds;/60s;/' /etc/nginx/conf.d/shop.conf; sleep 5; op nginx -t; }

# the change: the application as it was built for apache2
at 11:51:05 && op apt-get install -y --no-install-recommends apache2 libapache2-mod-wsgi-py3
at 11:59:47 && op apt-get install -y --no-install-recommends shop=2.0.0

# 12:10 the alert of http-watch; somebody looks
at 12:13:20 && op tail -n 40 /var/log/nginx/error.log
at 12:15:40 && op service apache2 start
at 12:18:05 && op tail -n 60 /var/log/syslog
at 12:24:30 && op ss -ltnp

# the rollback, which does not bring the application back: its supervisor file stays removed
at 12:30:00 && op apt-get install -y --no-install-recommends --allow-downgrades shop=1.8.2
at 12:32:15 && op supervisorctl status
at 12:33:40 && op supervisorctl start shop
at 12:38:10 && op apt-get remove -y apache2 libapache2-mod-wsgi-py3

# the fixed application: installed, tested, started
at 12:44:20 && op apt-get install -y --no-install-recommends shop=2.0.1
at 12:46:10 && op nginx -t
at 12:46:40 && op -u www-data gunicorn --check-config -c /srv/app/gunicorn.conf.py --chdir /srv/app shop:app
at 12:47:50 && op supervisorctl start shop
at 12:51:00 && op sed -i 's/autostart=false/autostart=true/' /etc/supervisor/conf.d/shop-app.conf

at 13:33:00 && op nginx -s reload
to_the_end
