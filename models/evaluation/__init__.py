"""How good a model is: every table and figure of FaceNet that can be measured on public data.

metrics/       from distances and labels to rates, thresholds, curves and costs: arithmetic only
data/          which photographs are compared: lists of pairs, folders of people
embedding/     from files to embeddings, with the pipeline of the service
experiments/   one file for each table or figure: what is measured, and its report
reports/       how a report becomes a JSON file, a picture, a table, or rows of a model's card

To add an evaluation:
1. Write `experiments/NAME.py`. It holds a class with the methods of `reports.report.Report` (`rows`, `numbers`,
`draw`),
   and a function `evaluate_NAME` that measures and returns it. Rates and thresholds are methods of
   `metrics.labelled_pairs.LabelledPairs`; embeddings come from `embedding/`.
2. Add a command to `models/commands/evaluation.py`. It reads the data, calls `evaluate_NAME`, and passes the report to
   `finish_report`, which writes NAME.json and NAME.png and prints the table.
3. Test the class and the function in `tests/models/evaluation/experiments/test_NAME.py`, and the command in
   `tests/models/commands/test_evaluation.py`.
4. Name the command in the table of `models/README.md`.
"""
