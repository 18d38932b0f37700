# The recorded hours of shop-02 (Wednesday 2025-03-05): nginx in front of a small application. Nothing happens.
. /root/rec/lib.sh
share_clock
start_common
nginx

# a graceful reload
at 06:42:10 && { op nginx -t; sleep 4; op nginx -s reload; }
# a configuration test that fails and changes nothing
at 08:02:30 && { op sed -i 's/60s;/60 seconds;/' /etc/nginx/conf.d/shop.conf; sleep 6; op nginx -t
                 sleep 40; op sed -i 's/60 seconds;/60s;/' /etc/nginx/conf.d/shop.conf; sleep 5; op nginx -t; }
# a restart of the application, within the surge of good traffic
at 08:44:00 && op supervisorctl restart shop
to_the_end
