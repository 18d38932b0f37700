# The recorded day of edge-01 (Wednesday 2025-02-12): nginx in front of a shop and its search.
. /root/rec/lib.sh
share_clock
chown -R www-data /run/shop
start_common
nginx

at 10:44:20 && { op nginx -t; sleep 5; op nginx -s reload; }
# the change: the search index is written anew, and whoever looks a word up waits for it
at 11:16:00 && op -u www-data python3 /srv/search/reindex.py 7200 &
at 11:31:40 && op tail -n 40 /var/log/nginx/error.log
at 11:35:10 && op supervisorctl status
at 11:36:20 && op supervisorctl restart search          # it waits again
at 11:44:50 && op ps -eo pid,user,lstart,args
at 11:50:30 && op kill "$(pgrep -o -f '^python3 /srv/search/reindex.py')"
to_the_end
