"""The command line: commands, plans, progress bars. Nothing below it imports rich or click.

main       the group of commands, and what becomes of an error
console    what a person sees: plan, bar, table; and the one JSON document
progress   a listener: how a training goes
options    the options that say what the data are
backend    how the program starts Keras
scan       brimful scan
store      brimful pack, info, verify
train      brimful train
bench      brimful bench
demo       brimful demo
"""
