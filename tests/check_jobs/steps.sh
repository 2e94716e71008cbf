#!/bin/sh
# As it should be: a sequence of steps, each done once; a stamp that is not whole does not count.
mkdir -p done
before=0
for step in one two three four; do
    if ! grep -qsx "$step after $before is done" done/$step; then
        sleep 0.25
        echo "$step after $before is done" >part
        mv part done/$step
        test $step = four || exit 85
    fi
    before=$((before + 1))
done
cat done/one done/two done/three done/four >result
