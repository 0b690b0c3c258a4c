# pandora_db's daily purge, and the crontab lines of its manuals, on files of known ages.
dpkg-deb -x rdump-nfdump_*.deb /tmp/names
cp -a /tmp/names/usr/bin/. /usr/bin/
data=/var/spool/pandora/data_in
name() { date -d "$1 hours ago" +nfcapd.%Y%m%d%H%M; }
fill() { # a file every 12 hours, and what is no file of ours
    rm -rf "$1"
    mkdir -p "$1"
    for age in 1 13 25 37 49 61 85; do
        echo x >"$1/$(name $age)"
    done
    echo x >"$1/nfcapd.current.77"
    echo x >"$1/notes"
}
left() { ls "$1" | grep -cE '^nfcapd\.[0-9]{12}$'; }

fill $data/netflow
fill $data/sflow
yes 2>/dev/null | nfexpire -u "$data/netflow" -t 2d -w 100
[[ "$(left $data/netflow)" = 7 ]]
yes 2>/dev/null | nfexpire -r "$data/netflow"
[[ "$(left $data/netflow)" = 7 ]]
yes 2>/dev/null | nfexpire -e "$data/netflow"
[[ "$(left $data/netflow)" = 4 && -e "$data/netflow/nfcapd.current.77" && -e "$data/netflow/notes" ]]
# sFlow is rescanned only.
yes 2>/dev/null | nfexpire -r "$data/sflow" -t 2d
[[ "$(left $data/sflow)" = 7 ]]

# One directory for each source.
fill $data/netflow/10-0-0-1
fill $data/netflow/10-0-0-2
yes 2>/dev/null | nfexpire -e "$data/netflow"
[[ "$(left $data/netflow/10-0-0-1)" = 4 && "$(left $data/netflow/10-0-0-2)" = 4 ]]

# The lines of crontabs, with and without the blank that nfexpire does not expect.
fill $data/netflow
cron_entry "*/10 * * * * root nfexpire -e $data/netflow -t 3d"
[[ "$(left $data/netflow)" = 6 ]]
cron_entry "*/10 * * * * root yes | /usr/bin/nfexpire -e $data/netflow -t 2 d"
[[ "$(left $data/netflow)" = 4 ]]
