#!/bin/sh
# embed.sh NAME=FILE…: print C strings hotel_NAME_sql with the files' text.
set -eu
echo "/* sql.h: made by embed.sh from *.sql. Don't edit. */"
for pair in "$@"; do
    printf 'static const char hotel_%s_sql[] =\n' "${pair%%=*}"
    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/    "&\\n"/' "${pair#*=}"
    echo "    ;"
done
