# The recorded day of web-01 (Sunday 2024-05-12): apache2 in front of gunicorn.
. /root/rec/lib.sh
# gunicorn reloads its workers at ten o'clock; that is when new library code is first read
CRON_EXTRA='0 10 * * * root supervisorctl signal HUP shop >/dev/null'
share_clock
echo filled >/run/shop/catalogue
chown www-data /run/shop /run/shop/catalogue
start_common
apachectl start
sleep 15
python3 /root/rec/app/http_watch.py /var/log/apache2/access.log 15 2 &

# the healthy part: a graceful reload, a restart of apache2, its maintenance page for a second or two
maintenance() { op touch /var/www/shop/maintenance; sleep "$1"; op rm /var/www/shop/maintenance; }
at 08:22:15 && { op apachectl configtest; sleep 5; op apachectl graceful; }
at 08:50:10 && op apachectl restart
at 08:51:40 && maintenance 1
at 09:24:00 && maintenance 2

# the change: the session library
at 09:45:00 && op apt-get upgrade -y
# 10:00 the daily reload, and the first failures; the pager is http-watch
at 10:10:05 && op logger -t pager 'acknowledged: http-5xx on web-01'
at 10:11:20 && op tail -n 60 /var/log/app/app.log
at 10:15:00 && op apt-get install -y --allow-downgrades python3-shopsession=1.4.2
at 10:19:10 && op apt-mark hold python3-shopsession
# the restart, without the catalogue cache: the start script fills it first
at 10:19:40 && op rm -f /run/shop/catalogue
at 10:19:58 && op supervisorctl restart shop

at 11:05:20 && maintenance 4
at 11:40:30 && { op apachectl configtest; sleep 5; op apachectl graceful; }
to_the_end
