# The recorded day of app-01 and app-02 (Saturday 2024-04-20): nginx in front of gunicorn, on both hosts.
. /root/rec/lib.sh
share_clock
echo filled >/run/shop/catalogue
chown -R www-data /run/shop
start_common
nginx
sleep 8
python3 /root/rec/app/http_watch.py /var/log/nginx/access.log 60 48 &

two() { [ $HOST = app-02 ]; }      # the operator does app-01 first
# the healthy part: a graceful reload
two || { at 09:58:20 && { op nginx -t; sleep 5; op nginx -s reload; }; }

# the change: an upgrade, one host after the other; the running processes do not notice
if two; then at 10:52:10; else at 10:35:00; fi && op apt-get upgrade -y
# somebody has the workers start anew, and they read the new library
at 11:15:0$(two && echo 4 || echo 0) && op supervisorctl signal HUP shop

# 12:03 the pager: http-watch has waited three quarters of an hour
two || { at 12:10:00 && op logger -t pager 'acknowledged: http-5xx on app-01, app-02'; }
if two; then at 12:14:30; else at 12:11:40; fi && op tail -n 50 /var/log/app/app.log
two || { at 12:19:05 && op supervisorctl status; }
if two; then at 12:52:40; else at 12:35:00; fi &&
    op apt-get install -y --allow-downgrades python3-shopdb=2.3.1 shop-fonts=1.1.0
if two; then at 13:00:00; else at 12:43:15; fi && op apt-mark hold python3-shopdb
two || { at 13:07:30 && op tail -n 50 /var/log/app/app.log; }
# the restart, without the catalogue cache
at 13:19:4$(two && echo 6 || echo 0) && op rm -f /run/shop/catalogue
at 13:20:0$(two && echo 6 || echo 0) && op supervisorctl restart shop
to_the_end
