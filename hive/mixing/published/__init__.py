"""The mixture metadata that the Hive authors publish, turned into plans that `render` takes.

`locate` finds the files (a folder, an address, the hub) and `read` reads them, in whatever form, as
`Block`s; `check` says which rows can be used; `coverage` says which can be made of the corpora that
are here; `plan` writes these as mixture tables of ours. All of it goes block by block: memory grows
with the number of recordings named, not of mixtures.

Facts about the format were read from the authors' repository (github.com/ShandaAI/Hive,
`hive_dataset/`) and from their dataset card (huggingface.co/datasets/ShandaAI/Hive); see
`docs/published-metadata.md`.
"""
