#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# slurm.sh COMMAND...: run COMMAND beside a Slurm of one node, this machine, whose files are
# below a directory of its own. Its daemons end with it.

command -v slurmctld >/dev/null && command -v slurmd >/dev/null || { echo "there is no Slurm" >&2; exit 77; }
dir=$(mktemp -d) && mkdir "$dir/state" "$dir/spool" || exit 1
[ "$(hostname -s 2>/dev/null)" ] || hostname node
host=$(hostname -s)
cat > "$dir/slurm.conf" <<END
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
AuthType=auth/none
CredType=cred/none
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES State=UP MaxTime=INFINITE
END
export SLURM_CONF=$dir/slurm.conf
ip link set lo up 2>/dev/null
slurmctld -D > "$dir/slurmctld" 2>&1 &
slurmd -D > "$dir/slurmd" 2>&1 &
mkfifo "$dir/never"
idle=
for _ in $(seq 300); do
	! sinfo -h 2>/dev/null | grep -q idle || { idle=yes; break; }
	read -rt 0.2 _ <>"$dir/never"
done
[ $idle ] || echo "Slurm's node is not idle after a minute" >&2
[ $idle ] && "$@"
status=$?
[ $status = 0 ] || tail -n 20 "$dir/slurmctld" "$dir/slurmd" >&2
kill %1 %2
wait
rm -rf "$dir"
exit $status
