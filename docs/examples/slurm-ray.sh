#!/usr/bin/env bash
# Start a Ray cluster in one Slurm job of several nodes, and render a plan on it.
#
#   export PLAN=/shared/train.parquet POOL=/shared/POOL OUT=/shared/DATASET
#   sbatch --nodes=8 docs/examples/slurm-ray.sh
#
# A node that dies costs only the shards that it was rendering, which other nodes render again; if
# the job itself ends, submit it again. PLAN, POOL and OUT must be seen by all nodes.
#SBATCH --job-name=hive-ray
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=32
#SBATCH --mem-per-cpu=2G
#SBATCH --time=12:00:00
#SBATCH --no-kill
#SBATCH --requeue
#SBATCH --output=hive-ray-%j.log
set -euo pipefail

: "${PLAN:?set PLAN to a table of hive-bench mix plan}"
: "${POOL:?set POOL to the clip pool}"
: "${OUT:?set OUT to the folder of the dataset}"

export RAY_USAGE_STATS_ENABLED=0
# Whoever reaches a Ray cluster over the network can run programs on it, so it asks for a token (Ray
# 2.52 or later). It is kept in the home folder; if nodes do not share that, set RAY_AUTH_TOKEN_PATH.
export RAY_AUTH_MODE=token
ray get-auth-token --generate >/dev/null
cpus="${SLURM_CPUS_PER_TASK:?submit this script with sbatch}"
# Two jobs may share a node, so the port follows from the job's number.
port=$((20000 + SLURM_JOB_ID % 10000))
mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head="${nodes[0]}"
address="$(srun --nodes=1 --ntasks=1 --nodelist="$head" hostname --ip-address | awk '{print $1}')"

# srun gives a step one core unless told: it does not take the job's --cpus-per-task.
srun --nodes=1 --ntasks=1 --cpus-per-task="$cpus" --nodelist="$head" \
    ray start --head --block --node-ip-address="$address" --port="$port" \
    --num-cpus="$cpus" --include-dashboard=false &
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT

for node in "${nodes[@]:1}"; do
    # A node may come up before the head does; it asks until it is there.
    srun --nodes=1 --ntasks=1 --cpus-per-task="$cpus" --nodelist="$node" \
        bash -c "until ray start --address='$address:$port' --num-cpus='$cpus' --block; do sleep 2; done" &
done

# `--overlap` puts this beside the head on the first node; it waits until the head answers.
srun --overlap --nodes=1 --ntasks=1 --nodelist="$head" \
    bash -c "until ray status --address='$address:$port' >/dev/null 2>&1; do sleep 2; done"
srun --overlap --nodes=1 --ntasks=1 --nodelist="$head" \
    hive-bench mix render "$PLAN" --pool "$POOL" --out "$OUT" \
    --engine ray --ray-address "$address:$port"
