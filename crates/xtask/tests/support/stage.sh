# The stage on which a page's commands are run: a machine with the programs installed, and what its readers have besides.

set -e
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=~root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
unset TZ
rm -f /etc/localtime /var/lib/man-db/auto-update
cd "$HOME"

printed=/tmp/printed
place=stage

begin() { # PLACE
    place=$1
    : >"$printed"
}

prints() { # TEXT
    grep -qF -- "$1" "$printed" && return
    echo "does not print '$1'" >>"$printed"
    exit 1
}

end() {
    place=
}

# Not where the block's output goes.
exec 3>&2
trap '[[ -z "$place" ]] || { echo "FAILED: $place"; cat "$printed"; } >&3' EXIT

# Waits until a command succeeds.
await() { # COMMAND...
    local tries
    for tries in $(seq 600); do
        "$@" && return
        sleep 0.1
    done
    echo "waited in vain for: $*"
    return 1
}

# An exporter sends to this machine.
replay() { # CASE PORT
    /given/xtask replay --to "127.0.0.1:$2" "/given/testdata/pcap/$1/case.pcap"
}

# A process that was told to end is gone.
ended() { # PID
    await bash -c '! kill -0 "$0" 2>/dev/null' "$1"
}

# Its flows are there to be seen.
seen() { # DIRECTORY
    await bash -c '[[ -n "$(rdump --live -R "$0" -q -c 1)" ]]' "$1"
}

# Runs the command of a line of /etc/cron.d.
cron_entry() { # LINE
    local minute hour day month weekday user command
    read -r minute hour day month weekday user command <<<"$1"
    # cron's own: a per cent sign has to be escaped.
    su -s /bin/sh "$user" -c "${command//\\%/%}"
}

dpkg-deb -x /given/dist/rdump_*.deb /
cp /given/dist/*.deb .

# There is no service manager here. This one checks units with systemd's own tool and starts what they say, in the same environment
# but for its restrictions.
cat >/usr/local/bin/systemctl <<'SYSTEMCTL'
#!/bin/bash
set -e
state=/run/units
mkdir -p "$state"

setting() { # FILE KEY: every value of a key
    sed -n "s/^$2=//p" "$1"
}

start() { # UNIT
    local instance=${1#*@} file unit line before
    instance=${instance%.*}
    for file in /etc/systemd/system "/usr/lib/systemd/system"; do
        [[ -e "$file/${1%@*}@.${1##*.}" ]] && break
    done
    file=$file/${1%@*}@.${1##*.}
    systemd-analyze verify --man=no "$1" >&2
    [[ "$file" = *.service ]] || return 0
    unit=$(mktemp)
    sed "s/%i/$instance/g" "$file" >"$unit"
    for line in $(setting "$unit" StateDirectory); do mkdir -p "/var/lib/$line"; done
    for line in $(setting "$unit" EnvironmentFile); do
        if [[ "$line" = -* ]]; then [[ -e "${line#-}" ]] || continue; fi
        # A value is what stands behind the sign, to the end of the line.
        while IFS= read -r line; do export "${line?}"; done < <(grep -v '^ *\(#\|$\)' "${line#-}")
    done
    line=$(setting "$unit" ExecStart)
    if [[ "$(setting "$unit" Type)" = oneshot ]]; then
        eval "$(sed 's/\$\(\w*\)/${\1-}/g' <<<"$line")"
        return
    fi
    before=$(cat /proc/net/udp /proc/net/udp6 | wc -l)
    eval "$(sed 's/\$\(\w*\)/${\1-}/g' <<<"$line") &"
    echo $! >"$state/$1"
    disown
    for _ in $(seq 200); do
        (($(cat /proc/net/udp /proc/net/udp6 | wc -l) > before)) && return
        kill -0 "$(cat "$state/$1")" || return 1
        sleep 0.1
    done
    return 1
}

stop() { # UNIT
    local pid
    [[ -e "$state/$1" ]] || return 0
    pid=$(cat "$state/$1")
    rm "$state/$1"
    kill "$pid" || return 0
    while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
}

action=$1
now=
shift
if [[ "$1" = --now ]]; then
    now=1
    shift
fi
for unit; do
    [[ "$unit" = *.* ]] || unit=$unit.service
    case "$action$now" in
    start | enable1) start "$unit" ;;
    stop | disable1) stop "$unit" ;;
    restart) stop "$unit" && start "$unit" ;;
    enable | disable) ;;
    *) echo "systemctl $action?" && exit 1 ;;
    esac
done
SYSTEMCTL
chmod 755 /usr/local/bin/systemctl
