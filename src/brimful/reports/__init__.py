"""Reports: a run folder -> one HTML file.

judgement  how a model judges samples, counted in one pass
verdict    who waited for whom, and what to change
report     all that there is to tell of a run, as data
page       the data as HTML, from `templates`
"""
