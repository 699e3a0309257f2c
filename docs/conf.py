"""Settings of Sphinx for the documentation site. CONTRIBUTING.md has the command that builds it.

Nothing is downloaded during the build: links to other projects come from `_site/inventories`.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_site"))

from inventories import write_inventories  # noqa: E402
from repository import REPOSITORY, link_pages, read_repository_page  # noqa: E402

import sklstm  # noqa: E402

project = "sklstm"
author = "sklstm developers"
copyright = author
version = release = sklstm.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "sphinx_sitemap",
    "sphinx_llms_txt",
    "sphinxext.opengraph",
]
# README.md is the index of the guides where the repository is browsed; guide.md includes it.
exclude_patterns = ["README.md", "_build", "_site", "auto_examples/**/*.ipynb"]
templates_path = ["_site/templates"]
nitpicky = True

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
toc_object_entries_show_parents = "hide"

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, .gp, .go"

HERE = Path(__file__).parent
intersphinx_mapping = write_inventories(HERE / "_site/inventories", HERE / "_build/inventories")

SECTIONS = ["machines", "evaluation", "forecasting", "going_further"]
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": "/plot_",
    "ignore_pattern": r"^(?!plot_)",
    "subsection_order": [*(f"../examples/{name}" for name in SECTIONS), "*"],
    "within_subsection_order": "FileNameSortKey",
    "doc_module": ("sklstm",),
    "reference_url": {"sklstm": None},
    "backreferences_dir": "generated/backreferences",
    "matplotlib_animations": False,
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
    "plot_gallery": not tags.has("without_examples"),  # noqa: F821 (Sphinx defines it)
    "remove_config_comments": True,
    "copyfile_regex": r".*\.csv",
}

# For search engines (sitemap.xml), language models (llms.txt) and previews of links (Open Graph).
html_baseurl = ogp_site_url = "https://sklstm.github.io/sklstm/"
sitemap_url_scheme = "{link}"
ogp_image = "_images/forecast.png"
ogp_social_cards = {"enable": False}
llms_txt_uri_template = "{base_url}{docname}.html"
llms_txt_exclude = ["auto_examples/*/sg_*", "generated/backreferences/*"]

html_theme = "pydata_sphinx_theme"
html_static_path = ["_site/static"]
html_css_files = ["sklstm.css"]
html_title = f"sklstm {release}"
html_show_sourcelink = False
html_sidebars = {"index": [], "start": [], "mistakes": []}
html_theme_options = {
    "logo": {"text": "sklstm"},
    "github_url": REPOSITORY,
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "navigation_depth": 2,
    "show_toc_level": 2,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
    "footer_start": ["copyright"],
    "footer_end": [],
}


def setup(app):
    """Include pages that lie outside of `docs/`, and turn names of pages into links."""
    app.connect("source-read", read_repository_page)
    app.connect("autodoc-process-docstring", link_pages)
