# The recorded day of web-01 and web-02 (Tuesday 2023-04-11): nginx in front of gunicorn, on both hosts.
. /root/rec/lib.sh
share_clock
start_common
nginx
sleep 10
python3 /root/rec/app/http_watch.py /var/log/nginx/access.log 60 3 silence &

if [ $HOST = web-01 ]; then
    at 10:05:10 && { op nginx -t; sleep 5; op nginx -s reload; }
    at 10:36:20 && op tail -n 30 /var/log/nginx/error.log
    at 10:38:45 && op uptime
else
    # the change
    at 10:28:30 && op cp /etc/nginx/conf.d/shop.conf /home/deploy/shop.conf.before
    at 10:29:10 && op cp /home/deploy/shop.conf /etc/nginx/conf.d/shop.conf
    at 10:29:40 && op nginx -t
    at 10:30:00 && op nginx -s reload
    # 10:34 the alert of http-watch
    at 10:37:30 && op tail -n 40 /var/log/nginx/error.log
    at 10:45:00 && op cat /etc/nginx/conf.d/shop.conf
    at 10:52:15 && op supervisorctl status
    at 11:13:00 && op ss -ltn
    at 11:15:00 && op cp /home/deploy/shop.conf.before /etc/nginx/conf.d/shop.conf
    at 11:17:20 && op nginx -t
    at 11:20:00 && op nginx -s reload
fi
to_the_end
