# The recorded day of web-03 (Tuesday 2024-09-17): apache2 with three virtual hosts, two of them proxied.
. /root/rec/lib.sh
share_clock
chown -R www-data /run/shop
start_common
apachectl start

at 14:21:10 && { op apachectl configtest; sleep 5; op apachectl graceful; }
# the change: the interface's new version wants a key that nobody has set, and does not start
at 14:57:40 && op apt-get install -y shop-api=2.9.0
at 15:06:20 && op supervisorctl status
at 15:07:35 && op supervisorctl start api
at 15:11:10 && op tail -n 40 /var/log/app/api-error.log
# the rollback
at 15:23:30 && op apt-get install -y --allow-downgrades shop-api=2.8.0
at 15:24:40 && op supervisorctl status
to_the_end
