# The recorded day of www-01 and www-02 (Thursday 2023-06-01): apache2 in front of gunicorn, on both hosts.
. /root/rec/lib.sh
# gunicorn reloads its workers at ten o'clock; that is when new library code is first read
CRON_EXTRA='0 10 * * * root supervisorctl signal HUP shop >/dev/null'
share_clock
echo filled >/run/shop/catalogue
chown -R www-data /run/shop
start_common
apachectl start
sleep 10
python3 /root/rec/app/http_watch.py /var/log/apache2/access.log 15 2 &

two() { [ $HOST = www-02 ]; }      # the operator does www-01 first
two || { at 09:06:40 && { op apachectl configtest; sleep 5; op apachectl graceful; }; }

# the change: the session library, on both hosts
if two; then at 09:46:10; else at 09:45:00; fi && op apt-get upgrade -y
# 10:00 the daily reload, and the first failures; the pager is http-watch
two || { at 10:10:05 && op logger -t pager 'acknowledged: http-5xx on www-01, www-02'; }
if two; then at 10:12:30; else at 10:11:20; fi && op tail -n 60 /var/log/app/app.log
if two; then at 10:16:20; else at 10:15:00; fi && op apt-get install -y --allow-downgrades python3-shopsession=1.4.2
if two; then at 10:18:40; else at 10:17:30; fi && op apt-mark hold python3-shopsession
# the restart, without the catalogue cache: the start script fills it first
at 10:19:4$(two && echo 8 || echo 0) && op rm -f /run/shop/catalogue
at 10:20:0$(two && echo 5 || echo 0) && op supervisorctl restart shop
to_the_end
