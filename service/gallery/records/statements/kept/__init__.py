"""What is kept of a face beside its record.

crops.py     the part of its photograph around it
other_embeddings.py
             its embedding by another model, and the switch to that model
"""
