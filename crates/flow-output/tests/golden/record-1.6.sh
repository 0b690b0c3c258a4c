#!/bin/sh
# Records what nfdump 1.6.25 prints of the flows in flow-testkit's fixture.
#
#   record-1.6.sh NFDUMP FLOWS.nf
#
# NFDUMP is the program of that release, FLOWS.nf the eighteen flows in its own layout. The answers stand in flows-1.6.txt
# beside this script, in the form of those that record.sh records of 1.7.1. Nothing is edited by hand.
set -eu
export TZ=UTC LANG=C
nfdump=$1 flows=$2

# one ARGUMENTS...
one() {
    printf '$'
    for argument; do printf ' %s' "'$argument'"; done
    printf '\n'
    "$nfdump" -r "$flows" "$@"
    printf '\n'
}

{
    for format in line long extended biline bilong nsel nel; do
        for options in '' -6 -N -T -q; do one -o "$format" $options; done
    done
    one -o line6
    for options in '' -6 -N -T; do
        one -o 'fmt:%ts|%te|%td|%exp|%pr|%sa|%da|%nh|%nhb|%ra|%sap|%dap|%sp|%dp|%it|%ic|%sas|%das|%nas|%pas|%in|%out|%pkt|%ipkt|%opkt|%byt|%ibyt|%obyt|%fl|%flg|%tos|%stos|%dtos|%dir|%smk|%dmk|%fwd|%svln|%dvln|%ismc|%odmc|%idmc|%osmc|%mpls1|%mpls9|%mpls|%bps|%pps|%bpp|%eng|%cl|%sl|%al' $options
    done
    one -o 'fmt:a %line|%sp z'
    one -o csv
    one -o csv -q -N -6
    one -o pipe -q
    for name in srcip dstip srcport dstport proto tos srcas inif router; do one -n 0 -s "$name/bytes" -o line; done
    for order in flows packets bytes ibyte obyte bps; do
        for options in '' '-o csv' '-N' '-q' '-o pipe -q'; do one -n 0 -s "srcport:p/$order" -o line $options; done
    done
    one -n 3 -s dstip/bytes -s srcas:p/packets/bytes -o line
    for options in '' '-N' '-q'; do one -n 0 -s dstip/bytes -o line6 $options; done
} >"$(dirname "$0")/flows-1.6.txt"
