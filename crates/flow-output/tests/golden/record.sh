#!/bin/sh
# Records what nfdump 1.7.1 prints of the flows in flow-testkit's fixture.
#
#   record.sh FLOWS.nf EVENTS.nf
#
# The two files hold the eighteen flows and the six events in nfdump's own layout. The answers stand in flows.txt and
# events.txt beside this script: a line `$ ARGUMENTS` for each run, then its standard output. Nothing is edited by hand;
# where we differ on purpose, tests/golden.rs says so.
set -eu
export TZ=UTC LANG=C
here=$(dirname "$0")

# one FILE ARGUMENTS...
one() {
    file=$1
    shift
    printf '$'
    for argument; do printf ' %s' "'$argument'"; done
    printf '\n'
    nfdump -r "$file" -C none "$@"
    printf '\n'
}

# Every tag of nfdump 1.7.1 but those that are ruled different (%ter, %evt, %nevt) or break the line (%n, %ipl, %opl).
tags='%nfv|%cnt|%tfs|%ts|%tsr|%te|%tr|%trr|%td|%tds|%exp|%pr|%sa|%da|%gsa|%gda|%nh|%nhb|%ra|%sap|%dap|%gsap|%gdap|%sp|%dp|%it|%ic|%sas|%das|%nas|%pas|%in|%inam|%out|%onam|%pkt|%ipkt|%opkt|%byt|%ibyt|%obyt|%fl|%flg|%tos|%stos|%dtos|%dir|%smk|%dmk|%fwd|%bfd|%end|%svln|%dvln|%ismc|%odmc|%idmc|%osmc|%mpls1|%mpls2|%mpls3|%mpls4|%mpls5|%mpls6|%mpls7|%mpls8|%mpls9|%mpls|%bps|%pps|%bpp|%eng|%lbl|%sc|%dc|%sloc|%dloc|%nbid|%ja3|%sni|%nbnam|%odid|%opid|%vrf|%ivrf|%ivrfnam|%evrf|%evrfnam|%nfc|%tevt|%xevt|%sgt|%msec|%iacl|%eacl|%xsp|%xdp|%xsap|%xdap|%uname|%nsp|%ndp|%nsap|%ndap|%pbstart|%pbend|%pbstep|%pbsize|%cl|%sl|%al'

listings() {
    for format in line long extended biline bilong gline glong; do
        for options in '' -6 -N -T -q; do one "$1" -o "$format" $options; done
    done
    one "$1" -o line6
    one "$1" -o LONG -N -6 -T
    for options in '' -6 -N -T; do one "$1" -o "fmt:$tags" $options; done
    for options in '' -6 -N; do one "$1" -o 'fmt:%sn|%dn' $options; done
    one "$1" -o 'fmt:%xsa|%xda|%nsa|%nda'
    one "$1" -o 'fmt:%sap,%dap,%ibyt,%ipkt,%bps' -N -q
    one "$1" -o 'fmt:a %line|%sp%n%dp6 z'
    one "$1" -o '%ts %pr' -q
    one "$1" -o csv
    one "$1" -o csv -q -N -6
    one "$1" -o json
    one "$1" -o json -N -6 -T
    one "$1" -o raw
    one "$1" -o raw -q
    one "$1" -o null
    one "$1" -o null -N
}

{
    listings "$1"
    for name in srcip dstip ip srcport dstport port proto tos dsttos dir srcas dstas as prevas nextas inif outif if \
        srcmask dstmask mask srcvlan dstvlan vlan insrcmac outdstmac indstmac outsrcmac srcmac dstmac outmac \
        mpls1 mpls3 cl sl al event xevent xsrcip xdstip xsrcport xdstport iacl eace exace ivrf evrf nbar odid opid; do
        one "$1" -n 0 -s "$name" -o line
    done
    for order in flows packets ipkg opkg bytes ibyte obyte pps ipps opps bps ibps obps bpp ibpp obpp; do
        for options in '' '-o csv' '-N' '-q'; do one "$1" -n 0 -s "srcport:p/$order" -o line $options; done
    done
    for options in '-N' '-T' '-q' '-o csv' '-o csv -q' '-o csv -N' '-o null' '-o raw'; do
        one "$1" -n 3 -s dstip/bytes -s srcas:p/packets/bytes -o line $options
    done
    for options in '' '-N' '-q'; do one "$1" -n 0 -s dstip/bytes -o line6 $options; done
    one "$1" -n 2 -s srcport/bytes -o 'fmt:%sa'
} >"$here/flows.txt"

{
    listings "$2"
    for name in xevent xsrcip xdstip xsrcport xdstport iacl iace ixace eacl eace exace ivrf evrf; do
        one "$2" -n 0 -s "$name/bytes" -o line
    done
} >"$here/events.txt"
