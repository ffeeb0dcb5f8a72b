"""Whom to cite for a network."""

from __future__ import annotations

from hive.shards.citation import PAPER

_PAPERS = {
    "audiosep": """@article{liu2023separate,
  title = {Separate Anything You Describe},
  author = {Liu, Xubo and Kong, Qiuqiang and Zhao, Yan and Liu, Haohe and Yuan, Yi and
            Liu, Yuzhuo and Xia, Rui and Wang, Yuxuan and Plumbley, Mark D. and Wang, Wenwu},
  journal = {arXiv preprint arXiv:2308.05037},
  year = {2023}
}""",
    "clearsep": """@article{cheng2025unleashing,
  title = {Unleashing the Power of Natural Audio Featuring Multiple Sound Sources},
  author = {Cheng, Xize and Wang, Slytherin and Wang, Zehan and Huang, Rongjie and Jin, Tao and
            Zhao, Zhou},
  journal = {arXiv preprint arXiv:2504.17782},
  year = {2025}
}

@article{ma2024clapsep,
  title = {{CLAPSep}: Leveraging Contrastive Pre-trained Model for Multi-Modal Query-Conditioned
           Target Sound Extraction},
  author = {Ma, Hao and Peng, Zhiyuan and Li, Xu and Shao, Mingjie and Wu, Xixin and Liu, Ju},
  journal = {arXiv preprint arXiv:2402.17455},
  year = {2024}
}""",
    "flowsep": """@article{yuan2024flowsep,
  title = {{FlowSep}: Language-Queried Sound Separation with Rectified Flow Matching},
  author = {Yuan, Yi and Liu, Xubo and Liu, Haohe and Plumbley, Mark D. and Wang, Wenwu},
  journal = {arXiv preprint arXiv:2409.07614},
  year = {2024}
}""",
}


def citations(architecture: str) -> list[str]:
    """Return BibTeX of the papers that a network comes from, Hive's own last."""
    return [*([_PAPERS[architecture]] if architecture in _PAPERS else []), PAPER]
