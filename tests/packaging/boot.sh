# Makes this machine once more, in namespaces of its own, and becomes its systemd. Nothing that happens there is seen here:
# the root is an overlay in memory, the kernel's settings are read-only. Arguments: a work folder, a folder to share.
set -euo pipefail
work=$1 shared=$2
mount --make-rprivate /
mount -t tmpfs machine "$work"
mkdir "$work/upper" "$work/work" "$work/root"
mount -t overlay machine -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" "$work/root"
cd "$work/root"

mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 cgroup sys/fs/cgroup
mkdir sys/fs/cgroup/systemd sys/fs/cgroup/unified
mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
mount -t cgroup2 cgroup2 sys/fs/cgroup/unified

mount -t tmpfs -o mode=755 dev dev
cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty dev/
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
mount -t tmpfs -o mode=1777 shm dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd

mount -t tmpfs -o mode=755 run run
mount -t tmpfs -o mode=1777 tmp tmp
mkdir -p run/systemd/system
ln -s /dev/null run/systemd/system/timers.target # apt must not begin to upgrade
mkdir -p "$work/root$shared"
mount --bind "$shared" "$work/root$shared"
mkdir run/before run/changes
mount --bind "$work/upper" run/changes
pivot_root . run/before
umount -l run/before
exec env -i container=abide PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=basic.target --show-status=no
