#!/bin/sh
# Makes the lines that the shipped student learnt from: about a quarter of an hour on 2 cores, 2.5 GB under runs/.
set -eu
lines() { pocai synth lines --processes "$(nproc)" -o "runs/$1" -n "$2" --seed "$3" --damage "$4" ${5:-}; }
pages() { pocai synth pages --processes "$(nproc)" -o "runs/$1" -n "$2" --seed "$3" ${4:-}; }

# for recipes/ocr-student.toml
lines lines/train 100000 1 mixed
lines lines/more 100000 4 mixed
lines lines/heavy 30000 2 heavy
lines lines/taught 25000 3 mixed --taught
lines lines/validation-clean 1000 9001 clean
lines lines/validation-heavy 1000 9002 heavy

# for recipes/ocr-student-pages.toml
lines lines2/train 100000 1 mixed
lines lines2/heavy 30000 2 heavy
pages lines2/pages 600 10000
pages lines2/pages-taught 200 20000 --taught
lines lines2/validation-clean 1000 9001 clean
lines lines2/validation-heavy 1000 9002 heavy
pages lines2/validation-pages 10 8000000

# for recipes/ocr-student-last.toml
lines lines2/last 80000 5 mixed
pages lines2/pages-last 300 30000 --taught

# for recipes/ocr-student-hands.toml
lines lines2/hands 80000 6 mixed '--kind hand'
lines lines2/display 30000 7 mixed '--kind display'
