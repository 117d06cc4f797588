package manifest

// statFormat is what GNU's and BusyBox' stat both know: mode, size, times, links, inode, device, blocks, modification time
// with its fraction.
const statFormat = `%f %s %Y %Z %h %i %d %b %y`

// findFormat is what GNU's find prints of an entry: its path, kind, mode, size, times, links, inode, device, blocks, and the
// target of a symbolic link.
const findFormat = `%p\0%y %m %s %T@ %C@ %n %i %D %b\n%l\0`

// List is a shell script that lists the tree or file $1, with hashes made by the program $2 if that is not empty. It passes
// over the folders of transfers under way. If $3 is not empty, GNU's find and GNU's program for hashes do the work, in a
// twentieth of the time, and further arguments are conditions of find for files to hash; a single file is not hashed then.
// Else stat and readlink do, beside the shell.
const List = `d=$1 h=$2 g=$3;[ $# -lt 3 ]||shift 3
if [ -d "$d" ];then cd -- "$d"||exit 1;k=dir
elif [ -e "$d" ];then case $d in */*)b=${d##*/};d=${d%/*};cd -- "${d:-/}"||exit 1;;*)b=$d;;esac;k=file
else echo "$d: No such file or directory" >&2;exit 44;fi
printf 'T %s %s\n' "$(date +%s)" $k
if [ -n "$g" ]&&[ $k = dir ];then echo F
find . -ignore_readdir_race -name '.kubesdk-stage-*' -prune -o -printf '` + findFormat + `'||exit 1
printf '\0'
if [ -n "$h" ];then echo H;find . -name '.kubesdk-stage-*' -prune -o -type f "$@" -exec "$h" -z {} +||exit 1;printf '\0';fi
echo E;exit;fi
[ -z "$g" ]||h=
e(){ printf 'B %s\n' $#;printf '%s\0' "$@";printf '%s\n' "$x"
for f;do if [ -L "$f" ];then t=$(readlink "$f"&&echo .)||exit 1;printf '%s\0' "${t%??}";fi;done
[ -n "$h" ]||return 0
for f;do shift;if [ -f "$f" ]&&[ ! -L "$f" ];then set -- "$@" "$f";fi;done
[ $# = 0 ]||$h "$@"||exit 1;}
s(){ if x=$(stat -c '` + statFormat + `' "$@" 2>/dev/null);then e "$@";return;fi
for f;do if [ -e "$f" ]||[ -L "$f" ];then x=$(stat -c '` + statFormat + `' "$f")||exit 1;e "$f";fi;done;}
w(){ if [ ! -r "$1" ]||[ ! -x "$1" ];then echo "$1: Permission denied" >&2;exit 1;fi
p=$1;set --
for f in "$p"* "$p".[!.]* "$p"..?*;do
if [ -e "$f" ]||[ -L "$f" ];then case ${f##*/} in .kubesdk-stage-*);;*)set -- "$@" "$f";[ $# -lt 100 ]||{ s "$@";set --;};;esac;fi;done
[ $# = 0 ]||s "$@"
for f in "$p"* "$p".[!.]* "$p"..?*;do
if [ -d "$f" ]&&[ ! -L "$f" ];then case ${f##*/} in .kubesdk-stage-*);;*)w "$f/";;esac;fi;done;}
if [ $k = dir ];then s .;w ./;else
if [ -L "./$b" ];then r=$(readlink -f "./$b")||exit 1;cd -- "${r%/*}/"||exit 1;b=${r##*/};fi
s "./$b";fi
echo E`

// NoSuchFile is the exit code of [List] where there is nothing at $1.
const NoSuchFile = 44

// Hash is a shell script that hashes the files in the folder $1 whose paths it reads, each ended by a zero byte, with the
// program $2 and its options.
const Hash = `cd -- "$1"&&exec xargs -0 $2`
