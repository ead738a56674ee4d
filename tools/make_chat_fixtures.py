#!/usr/bin/env python3
"""Write crates/text/tests/fixtures/chat/expected.json: what transformers' apply_chat_template makes of the templates beside it.

Every template NAME.jinja is applied to every conversation of conversations.json with add_generation_prompt, at a fixed time. A
conversation that a template refuses with raise_exception has its message under "error".
"""

import datetime
import json
from pathlib import Path

import jinja2
import tokenizers
import transformers
from transformers.utils import chat_template_utils

FOLDER = Path(__file__).resolve().parent.parent / "crates/text/tests/fixtures/chat"


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 2, 29, 9, 5, 7)


def main():
    chat_template_utils.datetime = Clock
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"<s>": 0, "</s>": 1}, unk_token="<s>"))
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<s>", eos_token="</s>")
    conversations = json.loads((FOLDER / "conversations.json").read_text())
    expected = {}
    for path in sorted(FOLDER.glob("*.jinja")):
        for name, messages in conversations.items():
            try:
                text = tokenizer.apply_chat_template(
                    messages, chat_template=path.read_text(), tokenize=False, add_generation_prompt=True
                )
                found = {"text": text}
            except jinja2.exceptions.TemplateError as error:
                found = {"error": str(error)}
            expected.setdefault(path.stem, {})[name] = found
    (FOLDER / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
