# The recorded night of shop-03 (Tuesday 2024-11-05 to Wednesday): nginx in front of gunicorn.
. /root/rec/lib.sh
ROTATE_AT='0 0 * * *'
share_clock
chown -R www-data /run/shop
start_common
nginx
sleep 8
python3 /root/rec/app/http_watch.py /var/log/nginx/access.log 60 5 &

at 22:52:10 && { op nginx -t; sleep 5; op nginx -s reload; }
# the change: somebody tightens permissions, and the application can no longer open its database
at 23:40:30 && op chown -R root:root /var/lib/shop
at 23:41:00 && op chmod -R go-rwx /var/lib/shop
# 23:46 the alert of http-watch
at 23:55:20 && op tail -n 40 /var/log/app/app.log
at '2024-11-06 00:08:40' && op supervisorctl status
at '2024-11-06 00:17:15' && op ls -l /var/lib/shop
at '2024-11-06 00:23:30' && op chown -R www-data /var/lib/shop
at '2024-11-06 00:31:00' && op chmod -R go+rX /var/lib/shop
to_the_end
