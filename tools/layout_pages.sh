#!/bin/sh
# Makes the pages that the shipped layout transformer learnt from: about an hour on 2 cores, 200 MB under runs/layout.
set -eu
pages() { pocai synth layouts --processes "$(nproc)" -o "runs/layout/$1" -n "$2" --seed "$3" ${4:-}; }

pages train 8000 100000 '--variants 3'
pages train-styles 4000 400000 '--variants 2'
pages train-read 900 300000 '--format docx --format xlsx --format pdf'
pages train-read 400 320000 '--format png --format jpeg --format scan'
pages validation 200 900000
