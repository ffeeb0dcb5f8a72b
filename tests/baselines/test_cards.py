"""Model cards: what they say, what they cannot be made to say, and their metadata."""

from __future__ import annotations

import re
from typing import Any

import pytest
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt
from pydantic import ValidationError

from baselines.audiosep.config import AudioSepConfig
from baselines.audiosep.model import AudioSep
from baselines.cards import CardFacts, NetworkFacts, card_text, network_facts
from baselines.cards.facts import DataFacts, Result, TrainingFacts

NETWORK = NetworkFacts("clearsep", "ClearSep", 32_000, 5.0, True, "labels", None, 4_600_000)
FACTS = CardFacts(
    name="clearsep-mini",
    summary="A small network for 283 classes.",
    repo="owner/clearsep-mini",
    licence="CC-BY-SA-4.0",
    licence_note="Some recordings are under CC BY-SA.",
    training=TrainingFacts(
        data=(
            DataFacts(
                name="pool",
                description="Recordings mixed on the fly.",
                hub_id="owner/pool",
                fingerprint="a1" * 32,
                clips=1234,
                hours=2.54,
                licences={"CC0-1.0": 1000, "CC-BY-4.0": 234},
            ),
            DataFacts(name="synthesiser"),
        ),
        validation="Best SI-SDRi on mixtures of 2 to 5.",
        recipe={"loss": "negative SI-SDR", "learning rate": 2e-4, "EMA": True, "batch size": 32},
        seed=17,
        steps=120_000,
        examples=3_840_000,
        hardware="1 NVIDIA H200",
        seconds=5400.0,
    ),
    results=(
        Result(
            data="unseen recordings",
            group="2 sources",
            metric="si_sdr_i",
            value=6.25,
            low=5.9,
            high=6.61,
            count=1500,
        ),
        Result(data="unseen recordings", group="3 sources", metric="si_sdr_i", value=4.0),
        Result(data="unseen recordings", metric="clap", unit="", value=0.5),
    ),
    results_note="The mixture itself scores 0 dB.",
    limits=("Music is hard.",),
    attributions=("Rain by Ann (CC BY 4.0)",),
    attributions_file="ATTRIBUTIONS.csv",
)


def section(text: str, title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def test_a_whole_card() -> None:
    text = card_text(NETWORK, FACTS)
    assert "4,600,000" in text
    assert "windows of 5 s, mono, at 32000 Hz" in text
    assert 'load_pretrained("owner/clearsep-mini")' in section(text, "How to use it")
    assert "--model trained:owner/clearsep-mini" in section(text, "How to use it")
    data = section(text, "Training data")
    assert "| pool | 1,234 | 2.5 | CC-BY-4.0 (234), CC0-1.0 (1,000) |" in data
    assert f"- pool: Recordings mixed on the fly. Fingerprint: SHA-256 `{'a1' * 32}`." in data
    assert "| synthesiser | not stated | not stated | not stated |" in data
    assert "- synthesiser: Fingerprint: not stated." in data
    assert "Validation: Best SI-SDRi" in data
    training = section(text, "Training")
    assert "| learning rate | 0.0002 |\n| EMA | yes |" in training
    assert "| seed | 17 |\n| steps | 120,000 |\n| mixtures seen | 3,840,000 |" in training
    assert "| hardware | 1 NVIDIA H200 |\n| time | 90 min |" in training
    results = section(text, "Results")
    assert (
        r"| unseen recordings | 2 sources | si\_sdr\_i (dB) | 6.25 | [5.90, 6.61] | 1,500 |"
        in results
    )
    assert r"| unseen recordings | 3 sources | si\_sdr\_i (dB) | 4.00 |  |  |" in results
    assert "| unseen recordings |  | clap | 0.50 |  |  |" in results
    assert "The mixture itself scores 0 dB." in results
    assert "- Music is hard.\n- What is above 16 kHz is lost." in section(text, "Limits")
    licence = section(text, "Licence and attributions")
    assert "CC-BY-SA-4.0. Some recordings are under CC BY-SA." in licence
    assert "- Rain by Ann (CC BY 4.0)" in licence
    assert "(ATTRIBUTIONS.csv)" in licence
    citation = section(text, "Citation")
    assert re.findall(r"@\w+\{(\w+),", citation) == [
        "cheng2025unleashing",
        "ma2024clapsep",
        "li2026hive",
    ]
    # Tables stand by themselves: a blank line before, a rule after the head.
    for head in re.findall(r"\n(.*)\n\|-", text.replace("| | |\n", "|x|\n")):
        assert head.startswith("|")
    assert "\n\n\n" not in text


def test_metadata_for_the_hub() -> None:
    data = ModelCard(card_text(NETWORK, FACTS)).data.to_dict()
    assert data["license"] == "cc-by-sa-4.0"
    assert data["library_name"] == "hive-bench"
    assert data["pipeline_tag"] == "audio-to-audio"
    assert data["datasets"] == ["owner/pool"]
    assert data["metrics"] == ["clap", "si_sdr_i"]
    assert {"clearsep", "sound-separation", "pytorch_model_hub_mixin"} <= set(data["tags"])
    [index] = data["model-index"]
    assert index["name"] == "clearsep-mini"
    measured = {
        (result["dataset"].get("config"), metric["type"]): metric["value"]
        for result in index["results"]
        for metric in result["metrics"]
    }
    assert measured == {
        ("2 sources", "si_sdr_i"): 6.25,
        ("3 sources", "si_sdr_i"): 4.0,
        (None, "clap"): 0.5,
    }
    assert {result["task"]["type"] for result in index["results"]} == {"audio-to-audio"}


@pytest.mark.parametrize(
    ("licence", "expected"),
    [
        ("Apache-2.0", {"license": "apache-2.0"}),
        ("cc by 4.0", {"license": "cc-by-4.0"}),
        (None, {"license": "unknown"}),
        (
            "research only",
            {
                "license": "other",
                "license_name": "licenseref-research-only",
                "license_link": "README.md",
            },
        ),
    ],
)
def test_licences_as_the_hub_names_them(licence: str | None, expected: dict[str, str]) -> None:
    facts = CardFacts(name="net", licence=licence)
    data = ModelCard(card_text(NETWORK, facts)).data.to_dict()
    assert {key: value for key, value in data.items() if key.startswith("license")} == expected


def test_what_is_not_known_is_said_not_to_be_stated() -> None:
    model = AudioSep(AudioSepConfig.mini())
    network = network_facts(model)
    assert network == NetworkFacts(
        architecture="audiosep",
        title="AudioSep",
        sample_rate=32_000,
        window_seconds=5.0,
        takes_negatives=False,
        encoder="labels",
        checkpoint=None,
        parameters=sum(each.numel() for each in model.parameters()),
    )
    text = str(model.generate_model_card())
    for title in ("Training data", "Training", "Results"):
        assert section(text, title).strip() == "Not stated."
    assert "Licence of the weights: not stated." in text
    assert "model-index" not in text
    assert "Sounds to drop cannot be named" in section(text, "Limits")


def rendered(text: str) -> str:
    """The body of a card as HTML, with all that Markdown allows switched on."""
    reader = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable("table")
    return str(reader.render(ModelCard(text).content.split("\n---\n", 1)[1]))


EVIL = "x | <script>alert(1)</script> [a](http://evil.example) `c`\n\n# Title\n---\n{{ 7 * 7 }}"


def test_text_of_strangers_stays_text() -> None:
    facts = CardFacts(
        name="net",
        summary=EVIL,
        licence_note=EVIL,
        results_note=EVIL,
        limits=(EVIL,),
        attributions=(EVIL,),
        results=(Result(data=EVIL, group=EVIL, metric="m", value=1.0),),
        training=TrainingFacts(
            data=(DataFacts(name=EVIL, description=EVIL, licences={EVIL: 1}),),
            validation=EVIL,
            recipe={EVIL: EVIL},
            seed=0,
            steps=1,
            hardware=EVIL,
            seconds=1.0,
        ),
    )
    text = card_text(NETWORK, facts)
    page = rendered(text)
    assert "<script" not in page
    assert "evil.example" in page
    assert not [href for href in re.findall(r'href="([^"]*)"', page) if href != "ATTRIBUTIONS.csv"]
    assert page.count("<h1>") == 1
    assert re.findall("<h2>(.*?)</h2>", page) == re.findall(
        "<h2>(.*?)</h2>", rendered(card_text(NETWORK))
    )
    assert "<hr" not in page
    assert page.count("<code>") == 1 + page.count("<pre>") - page.count("<pre><code")
    assert "{{ 7 * 7 }}" in page
    tables = re.findall(r"<table>(.*?)</table>", page, re.DOTALL)
    assert len(tables) == 4
    for table in tables:
        rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
        assert len({len(re.findall("<t[hd]", row)) for row in rows}) == 1
    # The head is YAML with that text as a value.
    [index] = ModelCard(text).data.to_dict()["model-index"]
    assert index["results"][0]["dataset"]["name"] == EVIL


@pytest.mark.parametrize(
    ("kind", "values", "field"),
    [
        (CardFacts, {"name": "a b"}, "name"),
        (CardFacts, {"name": 'x"); import os; ("'}, "name"),
        (CardFacts, {"name": "x", "repo": 'o/"n'}, "repo"),
        (CardFacts, {"name": "x", "attributions_file": "../a"}, "attributions_file"),
        (CardFacts, {"name": "x", "colour": "red"}, "colour"),
        (DataFacts, {"name": "x", "fingerprint": "ab"}, "fingerprint"),
        (DataFacts, {"name": "x", "hours": float("nan")}, "hours"),
        (Result, {"data": "x", "metric": "m", "value": float("inf")}, "value"),
        (Result, {"data": "x", "metric": "m", "value": 1.0, "low": 0.5}, "low and high"),
        (Result, {"data": "x", "metric": "m", "value": 1.0, "low": 2, "high": 3}, "not between"),
    ],
)
def test_facts_are_checked(kind: Any, values: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        kind(**values)


@pytest.mark.parametrize(("seconds", "told"), [(90, "90 s"), (7199, "120 min"), (90_000, "25.0 h")])
def test_durations(seconds: float, told: str) -> None:
    training = FACTS.training
    assert training is not None
    changed = training.model_copy(update={"seconds": seconds})
    text = card_text(NETWORK, FACTS.model_copy(update={"training": changed}))
    assert f"| time | {told} |" in text
