package archive

import "github.com/kubesdk/kubesdk/pod/internal/manifest"

// Unpack is a shell script that unpacks an archive from standard input into a new folder $2, which is in the folder $1 if
// that is there, else beside it. It says where that is, ended by a zero byte, and lists what is in it as [manifest.List] does
// with $4 and $5. $3 are tar's options. If unpacking fails, the folder is gone again.
const Unpack = `umask 022;t=$1 kh=$4 kf=$5
if [ -d "$t" ];then p=$t;elif [ -e "$t" ]||[ -L "$t" ];then echo "$t: Not a directory" >&2;exit 1
else case $t in */*)p=${t%/*};[ -n "$p" ]||p=/;;*)p=.;;esac;mkdir -p -- "$p"||exit 1;fi
case $p in /)s=/$2;;*)s=$p/$2;;esac
mkdir -m 700 -- "$s"||exit 1
quit(){ cd /;chmod -R u+w "$s" 2>/dev/null;rm -rf -- "$s";exit 1;}
trap quit HUP INT TERM
cd -- "$s"||quit
umask 0
tar -x $3 -f - ||quit
umask 077
if [ -d ` + Sparse + ` ];then cd ` + Sparse + `||quit
while read -r n size mode rest;do
dd if=/dev/null of=$n.out bs=1 seek=$size count=0 2>/dev/null||quit
set -- $rest
while [ $# -gt 2 ];do dd if=$n of=$n.out bs=4096 skip=$1 seek=$2 count=$3 conv=notrunc 2>/dev/null||{ echo "write sparse file: no space left on device?" >&2;quit;};shift 3;done
touch -r $n $n.out&&chmod $mode $n.out||quit
done <list
cd ..||quit
rm -rf ` + Sparse + `||quit
fi
cat >/dev/null
printf '%s\0' "$s"
set -- "$s" "$kh" "$kf"
` + manifest.List

// Commit is a shell script that moves what is in the folder $1 into the folder $2, one rename for each file, then unpacks
// an archive of folders from standard input over them for their modes and times, with tar's options $4. With $3 = force it
// removes what is in the way because it is of another kind; else it moves nothing then.
const Commit = `s=$1 t=$2 force=$3;umask 022
cd -- "$s"||exit 1
check(){ for f in "$1"* "$1".[!.]* "$1"..?*;do
if [ -d "$f" ]&&[ ! -L "$f" ];then
if [ -d "$t/$f" ]&&[ ! -L "$t/$f" ];then check "$f/"
elif [ -e "$t/$f" ]||[ -L "$t/$f" ];then echo "$t/${f#./} is in the way: it is no folder, and what is to go there is" >&2;exit 45;fi
elif [ -e "$f" ]||[ -L "$f" ];then
if [ -d "$t/$f" ]&&[ ! -L "$t/$f" ];then echo "$t/${f#./} is in the way: it is a folder, and what is to go there is none" >&2;exit 45;fi;fi;done;}
clear(){ for f in "$1"* "$1".[!.]* "$1"..?*;do
if [ -d "$f" ]&&[ ! -L "$f" ];then
if [ -d "$t/$f" ]&&[ ! -L "$t/$f" ];then clear "$f/"
elif [ -e "$t/$f" ]||[ -L "$t/$f" ];then rm -f "$t/$f"||exit 1;fi
elif [ -e "$f" ]||[ -L "$f" ];then
if [ -d "$t/$f" ]&&[ ! -L "$t/$f" ];then rm -rf "$t/$f"||exit 1;fi;fi;done;}
move(){ p=$1;set --
for f in "$p"* "$p".[!.]* "$p"..?*;do
if [ -d "$f" ]&&[ ! -L "$f" ]&&[ -d "$t/$f" ];then :
elif [ -e "$f" ]||[ -L "$f" ];then set -- "$@" "$f"
[ $# -lt 100 ]||{ mv -f "$@" "$t/$p"||exit 1;set --;};fi;done
[ $# = 0 ]||mv -f "$@" "$t/$p"||exit 1
for f in "$p"* "$p".[!.]* "$p"..?*;do if [ -d "$f" ]&&[ ! -L "$f" ];then move "$f/";fi;done;}
if [ ! -e "$t" ]&&[ ! -L "$t" ];then cd ..;chmod 755 "$s"&&mv "$s" "$t"||exit 1
else if [ -n "$force" ];then clear ./;else check ./;fi
move ./;cd "$t"&&rm -rf "$s"||exit 1;fi
cd "$t"&&exec tar -x $4 -f -`

// Delete is a shell script that deletes the paths that it reads, each ended by a zero byte, in the folder $1.
const Delete = `cd -- "$1"&&exec xargs -0 rm -rf`

// Adjust is a shell script that sets mode and modification time of files in the folder $1. It reads for each the mode, the
// time in seconds, and the path, each ended by a zero byte.
const Adjust = `cd -- "$1"&&exec xargs -0 -n 3 sh -c 'chmod "$0" "$2"&&touch -d "@$1" "$2"'`

// Pack is a shell script that packs the files in the folder $1 whose paths it reads, each ended by a zero byte, into one or
// more archives. $2 are tar's options.
const Pack = `cd -- "$1"&&exec xargs -0 tar -c $2 -f -`

// Discard is a shell script that removes the folder $1 of a transfer that failed.
const Discard = `chmod -R u+w "$1" 2>/dev/null;rm -rf -- "$1"`

// Probe is a shell script that says which tools there are: "gnu" or "other" for tar, "fast" if find and the program for
// hashes are GNU's, else "slow", the program for hashes, that for the proof of transfers, and what is missing. The latter is
// cksum where it is known to be fast: in coreutils since 9.0, which is when it got the option -z.
const Probe = `case $(tar --version 2>/dev/null) in *GNU*)k=gnu;;*)k=other;;esac
h=;for x in sha1sum md5sum sha256sum;do if command -v $x >/dev/null;then h=$x;break;fi;done
f=slow;if find / -maxdepth 0 -printf '' 2>/dev/null&&$h -z </dev/null >/dev/null 2>&1;then f=fast;fi
m=;for x in tar stat readlink xargs mkdir mv rm chmod touch dd date cat;do command -v $x >/dev/null||m="$m $x";done
[ -n "$h" ]||m="$m sha1sum"
c=${h:--};case $f$(printf 123456789|cksum -z 2>/dev/null|tr '\0' .) in "fast930766865 9.")c=cksum;;esac
echo "$k $f ${h:--} $c$m"`
