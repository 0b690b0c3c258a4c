# What the package's example says is what the programs take, every key of it.
example=/usr/share/doc/rdump/examples/rdump.toml
sed 's/^#\([a-z]\)/\1/' $example >all.toml
[[ "$(grep -c '^[a-z]' all.toml)" = 14 ]]
for program in rcapd rdump rexpire; do
    $program -C $example --print-config >/dev/null
    $program -C all.toml --print-config >all
    keys=$(sed -n "/^\[$program\]/,/^\[/s/^\([a-z_]*\)[ .].*/\1/p" all.toml)
    [[ -n "$keys" ]]
    for key in $keys; do grep -q "^$key" all; done
done
