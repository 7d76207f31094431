import pandas as pd
from matplotlib.figure import Figure

from ntkreg.report.shared.document import Code, Document, Picture, Points, Section, Table, Text
from ntkreg.report.shared.markdown import markdown_page
from ntkreg.report.shared.page import draw_pictures, html_page

DOCUMENT = Document(
    "1 < 2",
    (
        Section(
            "",
            (
                Text("An <answer> with `x < y`.", "lead"),
                Points(("one & two", "three")),
                Picture("first", Figure, "a < b", '"><script>', kept=True),
                Text("small print", "small"),
            ),
        ),
        Section("More < less", (Table(pd.DataFrame({"<n>": [1], "x": ["<b>"]})),)),
        Section("Only here", (Text("In HTML alone."),), kept=False),
        Section("Deeper", (Picture("second", Figure, "Told, not shown.", "alt"),), level=3),
        Section("How", (Code("Key & value", "key: <script>\n", "yaml"),)),
    ),
)


def test_html_has_every_block_with_its_text_escaped():
    text = html_page(DOCUMENT, draw_pictures(DOCUMENT))
    for words in (
        "<title>1 &lt; 2</title>",
        "<h1>1 &lt; 2</h1>",
        '<p class="lead">An &lt;answer&gt; with <code>x &lt; y</code>.</p>',
        "<li>one &amp; two</li>",
        '<p class="small">small print</p>',
        'alt="&quot;&gt;&lt;script&gt;" src="data:image/png;base64,iVBO',
        "<figcaption>a &lt; b</figcaption>",
        "<h2>More &lt; less</h2>",
        "<th>&lt;n&gt;</th>",
        "<td>&lt;b&gt;</td>",
        "<p>In HTML alone.</p>",
        "<h3>Deeper</h3>",
        "<p>Key &amp; value</p><pre>key: &lt;script&gt;\n</pre>",
    ):
        assert words in text
    assert text.count("<img") == 2
    for tag in ("<b>", "<answer>", "<script"):
        assert tag not in text


def test_markdown_has_what_is_kept_and_remarks_after_the_first_sentences():
    assert markdown_page(DOCUMENT, "page.png", "A remark.\n") == (
        "# 1 < 2\n\n"
        "An <answer> with `x < y`.\n\n"
        "- one & two\n- three\n\n"
        "A remark.\n\n"
        '!["><script>](page.png)\n\n'
        "a < b\n\n"
        "small print\n\n"
        "## More < less\n\n"
        "| <n> | x |\n| --- | --- |\n| 1 | <b> |\n\n"
        "### Deeper\n\n"
        "Told, not shown.\n\n"
        "## How\n\n"
        "Key & value:\n\n```yaml\nkey: <script>\n```\n"
    )
