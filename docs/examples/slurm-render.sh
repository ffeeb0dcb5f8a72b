#!/usr/bin/env bash
# Render a plan as an array of Slurm jobs. Each job renders its share of the shards; the one that
# ends last finishes the dataset (mixture table, card, licences, checksums).
#
#   export PLAN=/shared/train.parquet POOL=/shared/POOL OUT=/shared/DATASET
#   sbatch --array=0-31 docs/examples/slurm-render.sh
#
# A job that was preempted, requeued or ran out of time goes on where it was: submit the same array
# again, as often as it takes. PLAN, POOL and OUT must be seen by all nodes: a shared file system, or
# addresses such as s3://bucket/POOL.
#SBATCH --job-name=hive-render
#SBATCH --cpus-per-task=8
#SBATCH --mem-per-cpu=2G
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --signal=TERM@60
#SBATCH --output=hive-render-%A_%a.log
set -euo pipefail

: "${PLAN:?set PLAN to a table of hive-bench mix plan}"
: "${POOL:?set POOL to the clip pool}"
: "${OUT:?set OUT to the folder of the dataset}"

# With an array that does not begin at 0 or leaves numbers out, set SHARDS and number it 0-(SHARDS-1).
count="${SHARDS:-${SLURM_ARRAY_TASK_COUNT:?submit this script with sbatch --array=0-N}}"

# srun, so that Slurm's signals reach the program; exec, so that its exit code is the job's.
exec srun --ntasks=1 --cpus-per-task="${SLURM_CPUS_PER_TASK:-1}" \
    hive-bench mix render "$PLAN" --pool "$POOL" --out "$OUT" \
    --workers "${SLURM_CPUS_PER_TASK:-1}" \
    --shard-index "$SLURM_ARRAY_TASK_ID" --shard-count "$count"
