"""Published checkpoints of the networks of this package, for `hive-bench checkpoints`.

To add one, add an entry; a new kind also names its converter. Sizes and hashes are those that the
hub lists for the files; licences are what the repositories state.
"""

from __future__ import annotations

from hive.checkpoints.catalogue import Checkpoint, Collection

COLLECTION = Collection(
    checkpoints=(
        Checkpoint(
            name="audiosep",
            kind="audiosep",
            repo="Audio-AGI/AudioSep",
            space=True,
            revision="5638854dccfaea5c5fa4f634c00fe74fbb119244",
            filename="checkpoint/audiosep_base_4M_steps.ckpt",
            licence="MIT",
            purpose="AudioSep as its authors trained it, 4 M steps",
            sha256="f8cda01bfd0ebd141eef45d41db7a3ada23a56568465840d3cff04b8010ce82c",
            size=1_264_844_076,
        ),
        Checkpoint(
            name="audiosep-hive",
            kind="audiosep",
            repo="AlayaLab/AudioSep-hive",
            revision="113d2e4399a4f19b6a0d567bbde38f2fe1b11794",
            filename="audiosep_hive.ckpt",
            licence="Apache-2.0",
            purpose="AudioSep trained on Hive by the authors of Hive",
            sha256="a13fff5fa4ece1a8bc13e42e1c7b8d90e21603075302ca89e4339c9471973300",
            size=1_264_846_755,
        ),
        Checkpoint(
            name="clapsep",
            kind="clearsep",
            repo="AisakaMikoto/CLAPSep",
            space=True,
            revision="main",
            filename="model/best_model.ckpt",
            licence="LicenseRef-Unknown",
            purpose="CLAPSep, the separator that ClearSep trains further",
            sha256="6fcc8dbcd7174af86266cf16b4105eced0802352762f81dbfefdce29af3dba04",
            size=177_818_986,
        ),
        Checkpoint(
            name="flowsep",
            kind="flowsep",
            repo="zenodo.org/records/13869712",
            revision="13869712",
            filename="v2_100k.ckpt",
            licence="LicenseRef-Unknown",
            purpose="FlowSep as its authors published it",
            page="https://zenodo.org/records/13869712",
        ),
        Checkpoint(
            name="flowsep-hive",
            kind="flowsep",
            repo="AlayaLab/FlowSep-hive",
            revision="main",  # 7af3360 when this was written; the hub takes no short hashes
            filename="flowsep_hive.ckpt",
            licence="LicenseRef-Unknown",
            purpose="FlowSep trained on Hive by the authors of Hive",
        ),
    ),
    converters={
        "audiosep": "baselines.conversion:AUDIOSEP",
        "clearsep": "baselines.conversion:CLEARSEP",
        "flowsep": "baselines.conversion:FLOWSEP",
    },
)
