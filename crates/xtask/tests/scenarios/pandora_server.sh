# pandora_server starts both collectors, kills them with 9 at every stop, and starts them again: nothing that came is lost.
dpkg-deb -x rdump-nfdump_*.deb /tmp/names
cp -a /tmp/names/usr/bin/. /usr/bin/
data=/var/spool/pandora/data_in
mkdir -p $data/netflow $data/sflow

start() {
    /usr/bin/nfcapd -D -T all -w -t 1800 -P /var/run/pandora_nfcapd.pid -l $data/netflow >/dev/null 2>&1
    /usr/bin/sfcapd -D -T all -w -t 300 -P /var/run/pandora_sfcapd.pid -l $data/sflow >/dev/null 2>&1
}
stop() {
    kill -9 "$(head -1 /var/run/pandora_nfcapd.pid)" "$(head -1 /var/run/pandora_sfcapd.pid)"
}
# In files with the console's pattern.
finished() {
    [[ -n "$(ls $data/netflow | grep -E '^nfcapd\.[0-9]{12}$')" ]]
}

start
replay v9-softflowd-big 9995
stored() {
    [[ "$(rdump --live -R $data/netflow -q -o csv | wc -l)" = 158 ]]
}
await stored
stop
start
finished
[[ "$(nfdump -N -R . -M $data/netflow -q -o csv | wc -l)" = 158 ]]

# A second server finds the port taken, and must say so by its status.
if start; then false; fi

# The console's question for both kinds at once, and its summary.
nfdump -N -R $data/sflow -R $data/netflow -o csv -q -n 5 -s srcip/bytes | grep -q '^ts,te,td,pr,val'

stop
start
stop
[[ "$(nfdump -N -R . -M $data/netflow -q -o csv | wc -l)" = 158 ]]
