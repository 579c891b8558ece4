# Runs one throw-away server in a folder and ends with whoever holds the other end of standard input, however he ends.
#   sh supervisor.sh <server programs> <folder>     then on standard input: start <port> | stop fast | stop immediate
# Each line is answered by "ok" or "failed". At end of input the server is stopped and the folder removed.
trap '' HUP INT TERM PIPE
bin=$1
folder=$2
exec 2>>"$folder/supervisor.log"

quietly() { "$@" >>"$folder/supervisor.log" 2>&1 </dev/null; }

initialize() {
    quietly "$bin/initdb" -D "$folder/data" -U postgres --pwfile="$folder/password" --no-sync -E UTF8 --locale="$1" \
        --auth-host=scram-sha-256 --auth-local=trust -T english
}

prepare() {
    initialize C.UTF-8 || { rm -rf "$folder/data"; initialize C; } || return 1
    rm -f "$folder/password"
    echo "include '$folder/throwaway.conf'" >>"$folder/data/postgresql.conf"
}

prepare && echo ok || echo failed

while read -r verb argument; do
    case $verb in
    start) quietly "$bin/pg_ctl" -D "$folder/data" -s -w -t 60 -l "$folder/server.log" -o "-p $argument" start ;;
    stop) quietly "$bin/pg_ctl" -D "$folder/data" -s -w -t 60 -m "$argument" stop ;;
    esac && echo ok || echo failed
done

# Nobody will read the data again, so nothing is written out first.
quietly "$bin/pg_ctl" -D "$folder/data" -s -w -t 30 -m immediate stop
rm -rf "$folder"
